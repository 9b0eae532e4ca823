"""Speed and size, measured beside an alternative in the same run. ``python -m tests.bench`` prints a table."""

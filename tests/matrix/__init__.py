"""The full matrices in one command, ``python -m tests.matrix``: what is tried, how often, and what came of it."""

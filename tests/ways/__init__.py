"""The ways to switch, as pure functions of objects."""

"""This checkout's own wiring; the fixtures of a release come from ``bluegreen.plugin``."""

pytest_plugins = ["pytester"]  # tests/plugin run pytest inside pytest

"""health, of what is live: the same tests as in a release. They change nothing."""

from suites.release.test_health import *  # noqa: F403

"""monitoring, of what is live: the same tests as in a release. They change nothing."""

from suites.release.test_monitoring import *  # noqa: F403

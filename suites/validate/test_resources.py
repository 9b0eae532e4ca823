"""resources, of what is live: the same tests as in a release. They change nothing."""

from suites.release.test_resources import *  # noqa: F403

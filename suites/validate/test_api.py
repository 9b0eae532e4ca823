"""api, of what is live: the same tests as in a release. They change nothing."""

from suites.release.test_api import *  # noqa: F403

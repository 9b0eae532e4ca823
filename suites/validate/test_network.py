"""network, of what is live: the same tests as in a release. They change nothing."""

from suites.release.test_network import *  # noqa: F403

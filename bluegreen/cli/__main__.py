"""``python -m bluegreen.cli``: the command where it is not on the PATH."""

import sys

from bluegreen.cli import main

sys.exit(main())

"""``python -m archspec`` is ``archspec``."""

import sys

from archspec.cli import main

sys.exit(main())

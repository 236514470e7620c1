"""``python -m fuzzsmooth``: the command line."""

import sys

from fuzzsmooth.apps.cli.main import main

sys.exit(main())

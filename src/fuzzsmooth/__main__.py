"""``python -m fuzzsmooth``: the command line.

Python puts the working folder in front of its own library for ``-m``. That folder may be a model's, whose
maker chose the names of its files, so it is taken out before anything else is imported.
"""

import os
import sys

if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from fuzzsmooth.apps.cli.main import main  # only now

sys.exit(main())

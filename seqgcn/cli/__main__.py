"""`python -m seqgcn.cli`, the same as `python -m seqgcn`."""

import sys

from seqgcn.__main__ import main

sys.exit(main())

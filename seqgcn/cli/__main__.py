"""`python -m seqgcn.cli`."""

import sys

from seqgcn.cli import main

sys.exit(main())

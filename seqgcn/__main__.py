"""`python -m seqgcn`."""

from seqgcn.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

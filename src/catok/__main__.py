"""`python -m catok` is the `catok` command."""

import sys

from catok.cli import main

if __name__ == "__main__":
    sys.exit(main())

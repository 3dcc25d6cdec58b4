"""`python -m m2mguard`: the command line, where the console script `m2mguard` is not on the path."""

import sys

from m2mguard._cli.command import main

if __name__ == "__main__":
    sys.exit(main())

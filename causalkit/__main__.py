"""Run the command line with ``python -m causalkit``."""

from __future__ import annotations

import sys

from causalkit._cli import main

if __name__ == "__main__":
    sys.exit(main())

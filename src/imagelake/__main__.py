"""`python -m imagelake` is the command `imagelake`."""

from __future__ import annotations

import sys

from imagelake.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

"""Spark job: the draft judged as publish would, also by suites of whole tables. `spark-submit jobs/gate.py D --full` is
`imagelake gate D --full`.

Options and exit codes are those of the verb, imagelake.cli.verbs.gate.gate. What spark-submit has set up is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from imagelake.cli.main import main as imagelake


def main(argv: Sequence[str]) -> int:
    """Run the verb on these arguments and return its exit code."""
    return imagelake(["gate", *argv])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

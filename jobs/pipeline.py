"""Spark job: the whole way in one session. `spark-submit jobs/pipeline.py --landing` is `imagelake run --landing`.

Options and exit codes are those of the verb, imagelake.cli.verbs.write.run. What spark-submit has set up is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from imagelake.cli.main import main as imagelake


def main(argv: Sequence[str]) -> int:
    """Run the verb on these arguments and return its exit code."""
    return imagelake(["run", *argv])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Spark job: what bronze has landed into silver. `spark-submit jobs/build.py D` is `imagelake build D`.

Options and exit codes are those of the verb, imagelake.cli.verbs.write.build. What spark-submit has set up is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from imagelake.cli.main import main as imagelake


def main(argv: Sequence[str]) -> int:
    """Run the verb on these arguments and return its exit code."""
    return imagelake(["build", *argv])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

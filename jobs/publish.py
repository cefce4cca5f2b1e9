"""Spark job: the draft in silver as a version of gold. `spark-submit jobs/publish.py D` is `imagelake publish D`.

Options and exit codes are those of the verb, imagelake.cli.verbs.write.publish. What spark-submit has set up is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from imagelake.cli.main import main as imagelake


def main(argv: Sequence[str]) -> int:
    """Run the verb on these arguments and return its exit code."""
    return imagelake(["publish", *argv])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

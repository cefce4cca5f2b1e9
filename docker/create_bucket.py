"""Creates a bucket unless it is there, in the store of the settings: python create_bucket.py NAME"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from imagelake.config.settings import load
from imagelake.storage.s3.client import connect


def main(name: str) -> None:
    """Create the bucket in the store that IMAGELAKE_CONF names; nothing happens when it is there."""
    client = connect(load(Path(os.environ["IMAGELAKE_CONF"])).s3)
    if name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=name)


if __name__ == "__main__":
    main(sys.argv[1])

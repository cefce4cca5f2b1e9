"""Where a tool finds images: in the bucket by presigned URLs, else beside the export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelake.client.data.load import Source
from imagelake.client.delta.tables import Tables
from imagelake.client.serve.urls import object_urls
from imagelake.storage.s3.presign import MOST_SECONDS, Url

if TYPE_CHECKING:
    from imagelake.client.data.samples import Samples


def image_urls(samples: Samples, expires: int = MOST_SECONDS) -> dict[str, Url]:
    """URLs by key of images that are objects of a bucket; of a lake in a folder none.

    They are secrets, and end after `expires` seconds: seven days at most.
    """
    if samples.storage.folder is not None:
        return {}
    rows = object_urls(Tables(samples.storage), Source(samples.storage, samples.target), samples.rows, expires)
    return {key: row.url for key, row in rows.items()}

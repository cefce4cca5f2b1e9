"""A listing together with the time of whoever answered it: machines that write disagree about the time."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, cast

from imagelake.storage.base import Stat, Storage
from imagelake.storage.local import LocalStorage

if TYPE_CHECKING:
    from imagelake.storage.s3.bucket_storage import S3Storage

_ROUNDING = 2.0  # seconds by which a Date header may differ from a clock that is right: it is cut, and on its way


def dated_list(storage: Storage, folder: str) -> tuple[list[Stat], int]:
    """Everything below a folder, and the store's time then, in microseconds since 1970."""
    if isinstance(storage, LocalStorage):
        return list(storage.list(folder)), time.time_ns() // 1000
    found: list[Stat] = []
    told = ""
    for date, page in cast("S3Storage", storage).pages(folder):
        told = date
        found += page
    return found, _microseconds(told)


def _microseconds(told: str) -> int:
    """The store's time: to the second by its Date header, below that by our own clock."""
    here = time.time()
    there = parsedate_to_datetime(told).timestamp() if told else here
    return round((here if abs(here - there) <= _ROUNDING else there + here % 1) * 1e6)

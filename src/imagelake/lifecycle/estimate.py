"""What lifecycle rules would find in a bucket now: objects, bytes, and what they cost. An estimate, from listings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from imagelake.config.lifecycle_settings import SMALLEST_TIERED, PriceSettings
from imagelake.lifecycle.backends import Backend
from imagelake.lifecycle.bucket_rules import BucketRule
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.capabilities import unfinished
from imagelake.storage.s3.client import translated

MOST_LISTED = 100_000
"""Objects looked at for one rule: a hundred requests."""

_GIB = 1 << 30
_MARK, _LOG = "/imagelake.json", "/_delta_log/"


@dataclass(frozen=True)
class Estimate:
    """What one rule applies to. Costs in US dollars a month, None where no price is known.

    `due`: old enough now. `small`: too small to be moved. `complete`: False when there is more than was looked at.
    `saves`: what is paid less each month once all of it has gone or moved, `saves_due` once the due part has;
    `once`: what moving all of it costs. `foreign_table`: an object there that belongs to a lake or a Delta table.
    """

    objects: int = 0
    bytes: int = 0
    due_objects: int | None = 0
    due_bytes: int | None = 0
    small_objects: int = 0
    complete: bool = True
    costs: float | None = None
    saves: float | None = None
    saves_due: float | None = None
    once: float | None = None
    foreign_table: str | None = None


@dataclass(frozen=True)
class Prices:
    """US dollars per GiB and month by storage class: list prices, or what settings say."""

    of: Mapping[str, float]
    moves: Mapping[str, float]

    def monthly(self, by_class: Mapping[str, int]) -> float | None:
        """What bytes cost a month; None when a class among them has no price."""
        if not self.of or any(count and name not in self.of for name, count in by_class.items()):
            return None
        return sum(count / _GIB * self.of[name] for name, count in by_class.items() if count)

    def saving(self, stay: int, move: int, to: str) -> float | None:
        """What is paid less each month for bytes that move to a class, where they may be billed as more."""
        old, new = self.monthly({"STANDARD": stay}), self.monthly({to: move})
        return None if old is None or new is None else old - new


def prices(settings: PriceSettings, backend: Backend) -> Prices:
    """The prices that hold for this backend."""
    set_prices = {"STANDARD": settings.standard, "STANDARD_IA": settings.standard_ia, "GLACIER_IR": settings.glacier_ir}
    listed = {
        "STANDARD": backend.price,
        **{storage_class.name: storage_class.price for storage_class in backend.classes},
    }
    chosen = {name: listed.get(name) if price is None else price for name, price in set_prices.items()}
    moves = {storage_class.name: storage_class.move_price for storage_class in backend.classes}
    return Prices({name: price for name, price in chosen.items() if price is not None}, moves)


def estimate(storage: S3Storage, rule: BucketRule, backend: Backend, at: Prices, now: datetime) -> Estimate:
    """What a rule finds now. At most MOST_LISTED objects are looked at."""
    if rule.abort_days is not None:
        return _uploads(storage, rule, rule.abort_days, now)
    if rule.noncurrent_days is not None:
        return _versions(storage, rule, at)
    if rule.expire_days is not None:
        return _expiring(storage, rule, now - timedelta(days=rule.expire_days), at)
    return _moving(storage, rule, backend, at, now - timedelta(days=rule.after_days))


def foreign_table(storage: S3Storage, prefix: str) -> str | None:
    """The key of an object of another lake or of a Delta table below this prefix of the bucket; None without one.

    Everything there is listed, however much it is: what a rule lets expire is gone.
    """
    return next((item["Key"] for item in _objects(storage, prefix) if _is_of_table(item["Key"])), None)


def _is_of_table(key: str) -> bool:
    return key.endswith(_MARK) or _LOG in key


def _expiring(storage: S3Storage, rule: BucketRule, before: datetime, at: Prices) -> Estimate:
    count, due, table = 0, 0, None
    everything: dict[str, int] = {}
    going: dict[str, int] = {}
    listing = _BoundedListing(_objects(storage, rule.prefix))
    for item in listing:
        count += 1
        _add(everything, item)
        if item["LastModified"] <= before:
            due += 1
            _add(going, item)
        if table is None and _is_of_table(item["Key"]):
            table = item["Key"]
    sizes = sum(everything.values()), sum(going.values())
    costs = at.monthly(everything)
    saves_due = None if costs is None else at.monthly(going)
    return Estimate(count, sizes[0], due, sizes[1], 0, listing.complete, costs, costs, saves_due, foreign_table=table)


def _moving(storage: S3Storage, rule: BucketRule, backend: Backend, at: Prices, before: datetime) -> Estimate:
    """Only what is STANDARD moves. Where a rule cannot say a least size, the store may have one of its own."""
    target = backend.storage_class(rule.storage_class or "")
    least = rule.min_bytes or (SMALLEST_TIERED if target and target.billed_bytes else 0)
    young, old, small = _Heap(), _Heap(), 0
    listing = _BoundedListing(_objects(storage, rule.prefix))
    for item in listing:
        if item.get("StorageClass", "STANDARD") != "STANDARD":
            continue
        if item["Size"] < least:
            small += 1
            continue
        (old if item["LastModified"] <= before else young).add(item["Size"], target.billed_bytes if target else 0)
    to, both = rule.storage_class or "", young.and_(old)
    return Estimate(
        objects=both.objects,
        bytes=both.bytes,
        due_objects=old.objects,
        due_bytes=old.bytes,
        small_objects=small,
        complete=listing.complete,
        costs=at.monthly({"STANDARD": both.bytes}),
        saves=at.saving(both.bytes, both.billed, to),
        saves_due=at.saving(old.bytes, old.billed, to),
        once=both.objects / 1000 * at.moves.get(to, 0.0) if to in at.of else None,
    )


@dataclass
class _Heap:
    """Objects that may move: their bytes, and the bytes they would be billed as in the new class."""

    objects: int = 0
    bytes: int = 0
    billed: int = 0

    def add(self, size: int, least: int) -> None:
        self.objects, self.bytes, self.billed = self.objects + 1, self.bytes + size, self.billed + max(size, least)

    def and_(self, other: _Heap) -> _Heap:
        return _Heap(self.objects + other.objects, self.bytes + other.bytes, self.billed + other.billed)


def _versions(storage: S3Storage, rule: BucketRule, at: Prices) -> Estimate:
    """Noncurrent versions; since when they are that, a listing does not say."""
    everything: dict[str, int] = {}
    count = 0
    listing = _BoundedListing(_all_versions(storage, rule.prefix))
    for item in listing:
        if not item["IsLatest"]:
            count += 1
            _add(everything, item)
    costs = at.monthly(everything)
    return Estimate(count, sum(everything.values()), None, None, 0, listing.complete, costs)


def _uploads(storage: S3Storage, rule: BucketRule, days: int, now: datetime) -> Estimate:
    """Unfinished uploads; how many bytes they have, only a request for each would say."""
    count = due = 0
    listing = _BoundedListing(unfinished(storage))
    for upload in listing:
        count += 1
        due += upload.begun <= now - timedelta(days=days)
    return Estimate(count, 0, due, 0, 0, listing.complete)


class _BoundedListing:
    """The first MOST_LISTED of an iterator; `complete` says afterwards whether that was all."""

    def __init__(self, objects: Iterator[Any]) -> None:
        self._objects = objects
        self.complete = True

    def __iter__(self) -> Iterator[Any]:
        yield from islice(self._objects, MOST_LISTED)
        self.complete = next(self._objects, None) is None


def _add(by_class: dict[str, int], item: Mapping[str, Any]) -> None:
    name = item.get("StorageClass") or "STANDARD"
    by_class[name] = by_class.get(name, 0) + int(item["Size"])


def _objects(storage: S3Storage, prefix: str) -> Iterator[Mapping[str, Any]]:
    """Every object whose key begins so, names of files that are being written included."""
    pages = storage.client.get_paginator("list_objects_v2")
    with translated("list", f"s3://{storage.bucket}/{prefix}"):
        for page in pages.paginate(Bucket=storage.bucket, Prefix=prefix):
            yield from page.get("Contents", ())


def _all_versions(storage: S3Storage, prefix: str) -> Iterator[Mapping[str, Any]]:
    pages = storage.client.get_paginator("list_object_versions")
    with translated("list the versions of", f"s3://{storage.bucket}/{prefix}"):
        for page in pages.paginate(Bucket=storage.bucket, Prefix=prefix):
            yield from page.get("Versions", ())

"""What every stage is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from imagelake.config.settings import Settings
from imagelake.storage.base import Storage

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from imagelake.storage.leases.lease_record import Holder
    from imagelake.tables.delta.store import DeltaStore

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(timezone.utc)


def _nothing(_: str) -> None:
    """Default for callbacks nobody listens to."""


@dataclass(frozen=True)
class Context:
    """A run's surroundings.

    `reached` is told the name of every boundary between two writes (tests kill the process there),
    `progress` one short sentence on what is being done now. `reports` collects what the run did, for ops.runs.
    """

    settings: Settings
    storage: Storage
    spark: SparkSession
    tables: DeltaStore
    run_id: str
    holder: Holder
    clock: Clock = system_clock
    reached: Callable[[str], None] = _nothing
    progress: Callable[[str], None] = _nothing
    reports: list[RunReport] = field(default_factory=list)


@dataclass(frozen=True)
class Counts:
    """read = accepted + unchanged + rejected + ignored; removed is beside it."""

    read: int = 0
    accepted: int = 0
    unchanged: int = 0
    rejected: int = 0
    ignored: int = 0
    removed: int = 0

    def as_unchanged(self) -> Counts:
        """The counts of an upload that comes again and is not applied: what was accepted then is unchanged now."""
        return replace(self, accepted=0, removed=0, unchanged=self.accepted + self.unchanged)

    def check(self, what: str) -> None:
        """AssertionError unless the counts add up: nothing may be dropped uncounted."""
        total = self.accepted + self.unchanged + self.rejected + self.ignored
        assert self.read == total, f"{what}: read {self.read}, accounted for {total}"


@dataclass(frozen=True)
class Objects:
    """What was kept as single objects because the dataset's settings say `browse`: their number, and their bytes."""

    count: int
    bytes: int


@dataclass(frozen=True)
class Before:
    """What an upload that is built again had come to when it was built last: state, number, and counts."""

    state: str
    sequence: int
    images: Counts
    annotations: Counts
    rejections: int


@dataclass(frozen=True)
class RunReport:
    """The result of ingest, build, publish or run for one upload; `as_json` is what programs rely on.

    `status` is landed (ingest), built, published, accepted (the whole way), unchanged, superseded, rejected or failed;
    of gate and maintain passed or refused.
    `warnings` and `infos` count broken rules by id, `notices` are sentences for people that name some of them;
    `sequence` is the number of the upload, `before` how an upload was that `build --upload` has built again.
    `report_path` is where the page about the version lies in the lake, when the dataset's settings ask for one.
    `rule` is the one that a rejected upload broke. Of an upload under landing/ `source` and `moved_to` are its URIs
    before and after; `run_id` is the run that took it, or tried to.
    """

    dataset: str
    status: str
    upload_id: str | None = None
    format: str | None = None
    mode: str | None = None
    files: Counts = field(default_factory=Counts)
    images: Counts = field(default_factory=Counts)
    annotations: Counts = field(default_factory=Counts)
    rejections: int = 0
    version: str | None = None
    published: bool = False
    problem: str | None = None
    hint: str | None = None
    seconds: float = 0.0
    warnings: dict[str, int] = field(default_factory=dict)
    infos: dict[str, int] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    objects: Objects | None = None
    sequence: int | None = None
    before: Before | None = None
    report_path: str | None = None
    rule: str | None = None
    source: str | None = None
    moved_to: str | None = None
    run_id: str | None = None
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        data = asdict(self)
        data.pop("exit_code")
        data["notices"] = list(self.notices)
        return data

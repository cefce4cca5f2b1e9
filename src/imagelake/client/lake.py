"""A lake, opened for reading: `imagelake.open("./lake")`. No JVM, and nothing is ever written."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.refs import parse_ref
from imagelake.client.tables import Tables
from imagelake.errors import UsageError
from imagelake.storage.base import Storage
from imagelake.storage.lake import open_lake

if TYPE_CHECKING:
    from imagelake.client.diff import Diff
    from imagelake.client.listing import Datasets
    from imagelake.client.rejections import Rejections
    from imagelake.client.runs import Runs
    from imagelake.client.samples import Samples
    from imagelake.client.show import VersionDetails, Versions
    from imagelake.client.sql import SqlResult
    from imagelake.client.table_history import TableHistory
    from imagelake.client.verify import Verification
    from imagelake.settings import S3Settings

# Each method imports what it needs: a verb is a process of its own, and most need neither Arrow nor Pillow.


def open(uri: str, s3: S3Settings | None = None) -> Lake:
    """The lake at a root: a path, a file or an s3 URI. NotFound when there is none: reading never makes a lake.

    `s3` says how to reach an object store; without it the standard AWS_* variables do.
    """
    return Lake(open_lake(uri, s3).storage)


@dataclass(frozen=True)
class Lake:
    """Reads one lake. Every call looks at its newest state, all tables of a call at one moment.

    References are D, D@v3, D@v3.2, D@alias, D@latest, D@draft. What comes back has `as_json()`, the document the
    command line prints with --json. Errors: UsageError for a malformed reference, NotFound with the nearest names,
    IntegrityError when rows or bytes contradict what was published.
    """

    storage: Storage

    def __enter__(self) -> Lake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open between calls."""

    def show(self, what: str | None = None) -> Datasets | Versions | VersionDetails:
        """Every dataset; with a dataset id its versions; with a reference (D@…) one version."""
        if what is None:
            from imagelake.client import listing

            return listing.datasets(self._tables(), self.storage)
        from imagelake.client import show

        if "@" not in what:
            return show.versions(self._tables(), what)
        tables = self._tables()
        return show.version(tables, catalog.resolve(tables, parse_ref(what)))

    def runs(self) -> Runs:
        """What ran, newest first."""
        from imagelake.client import runs

        return runs.runs(self._tables(), self._live_runs())

    def table(self, name: str) -> TableHistory:
        """A table's commits and how far back it can be read, by name such as gold.image_log."""
        from imagelake.client import table_history

        return table_history.table_history(self._tables(), name, datetime.now(timezone.utc))

    def diff(self, before: str, after: str, rows: bool = False) -> Diff:
        """What changed from one version to another; with `rows` its document lists every change."""
        from imagelake.client import diff

        tables = self._tables()
        return diff.diff(tables, _target(tables, before), _target(tables, after), rows)

    def rejections(self, dataset: str, *, closed: bool = False) -> Rejections:
        """What is refused and why; with `closed` what was refused and has since been accepted."""
        from imagelake.client import rejections

        return rejections.rejections(self._tables(), dataset, closed=closed)

    def sql(self, query: str, at: str | None = None) -> SqlResult:
        """One SELECT over the views of imagelake.client.sql; they show version `at`, else every dataset's newest."""
        from imagelake.client import sql, views

        tables = self._tables()
        target = None if at is None else _target(tables, at)
        return sql.run(views.Scope(tables, target, self._live_runs), query, lambda ref: _target(tables, ref))

    def verify(self, ref: str, *, rows_only: bool = False) -> Verification:
        """Compute a version's digest anew from its rows and, unless `rows_only`, the hash of every image's bytes."""
        from imagelake.client import verify

        tables = self._tables()
        return verify.verify(tables, self.storage, _target(tables, ref), rows_only)

    def load(  # noqa: PLR0913  the selection of the command line, by name
        self,
        ref: str,
        *,
        split: str | None = None,
        where: str | None = None,
        images: Collection[str] | None = None,
        sample: float | None = None,
        unlabelled: bool = False,
        oriented: bool = False,
    ) -> Samples:
        """Samples of a version for a trainer: all conditions hold together.

        `where` is a condition over the view images, `images` a list of keys, `sample` a share that follows the bytes.
        Unlabelled images are left out and counted unless `unlabelled`. `oriented` turns pixels and annotations by
        EXIF. `Samples.ref` loads the same again, and refuses any other digest.
        """
        from imagelake.client import load
        from imagelake.client.selection import Selection, keys_digest, parse_selection

        base, _, query = ref.partition("?")
        listed = None if images is None else keys_digest(images)
        wanted = Selection(split, where, listed, sample, unlabelled, oriented)
        tables = self._tables()
        source = load.Source(self.storage, _target(tables, base))

        def matching(condition: str) -> Iterable[str]:
            return (row[0] for row in self.sql(_keys_where(condition), at=base).rows)

        return load.load(tables, source, parse_selection(query).also(wanted), images, matching)

    def _tables(self) -> Tables:
        return Tables(self.storage)

    def _live_runs(self) -> frozenset[str]:
        from imagelake.storage.lease import live_runs

        return live_runs(self.storage, lambda: datetime.now(timezone.utc))


def _target(tables: Tables, ref: str) -> Target:
    target = catalog.resolve(tables, parse_ref(ref))
    catalog.require_readable(target)
    return target


def _keys_where(condition: str) -> str:
    if not condition.strip():
        raise UsageError("an empty condition", hint="where is a condition over the view images, such as width > 640")
    return f"SELECT image_key FROM images WHERE (\n{condition}\n)"

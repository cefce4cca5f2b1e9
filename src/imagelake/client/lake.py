"""A lake, opened for reading: `imagelake.open("./lake")`. No JVM; it writes saved labels and snapshots only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagelake.client.opened import OpenLake, target_of
from imagelake.client.refs import parse_ref
from imagelake.core.advance import ProgressCallback, ignore_progress
from imagelake.storage.open_lake import open_lake

if TYPE_CHECKING:
    from imagelake.client.data.order import Even
    from imagelake.client.data.sample import Annotation
    from imagelake.client.data.samples import Samples
    from imagelake.client.diff.diff import Diff
    from imagelake.client.inspect.listing import Datasets
    from imagelake.client.inspect.runs import Runs
    from imagelake.client.inspect.show import VersionDetails, Versions
    from imagelake.client.inspect.table_history import TableHistory
    from imagelake.client.inspect.verify import Verification
    from imagelake.client.labelling.label_pages import Page
    from imagelake.client.quarantine.export import Export
    from imagelake.client.quarantine.list_rejections import Rejections
    from imagelake.client.query.sql_result import SqlResult
    from imagelake.client.selection import Splits
    from imagelake.client.serve.tickets import UploadTicket
    from imagelake.client.serve.urls import Urls
    from imagelake.config.settings import S3Settings
    from imagelake.exports.get import Exported
    from imagelake.exports.parquet.snapshot import ParquetSnapshot
    from imagelake.report.build_report import Report

# Each method imports what it needs: a verb is a process of its own, and most need neither Arrow nor Pillow.


def open(uri: str, s3: S3Settings | None = None) -> Lake:
    """The lake at a root: a path, a file or an s3 URI. NotFound when there is none: reading never makes a lake.

    `s3` says how to reach an object store; without it the standard AWS_* variables do.
    """
    return Lake(open_lake(uri, s3).storage)


def _ignore(done: int, total: int) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True)
class Lake(OpenLake):
    """Reads one lake. Every call looks at its newest state, all tables of a call at one moment.

    References are D, D@v3, D@v3.2, D@alias, D@latest, D@draft. What comes back has `as_json()`, the document the
    command line prints with --json. Errors: UsageError for a malformed reference, NotFound with the nearest names,
    IntegrityError when rows or bytes contradict what was published.
    """

    def show(self, what: str | None = None) -> Datasets | Versions | VersionDetails:
        """Every dataset; with a dataset id its versions; with a reference (D@…) one version."""
        if what is None:
            from imagelake.client.inspect import listing

            return listing.datasets(self._tables(), self.storage)
        from imagelake.client.inspect import show

        if "@" not in what:
            return show.versions(self._tables(), self.storage, what)
        return show.version(self._tables(), self.storage, parse_ref(what))

    def runs(self) -> Runs:
        """What ran, newest first."""
        from imagelake.client.inspect import runs

        return runs.runs(self._tables(), self._live_runs())

    def table(self, name: str) -> TableHistory:
        """A table's commits and how far back it can be read, by name such as gold.image_log."""
        from imagelake.client.inspect import table_history

        return table_history.table_history(self._tables(), name, datetime.now(timezone.utc))

    def diff(self, before: str, after: str, rows: bool = False) -> Diff:
        """What changed from one version to another; with `rows` its document lists every change."""
        from imagelake.client.diff import diff
        from imagelake.client.inspect.waiting_saves import waiting_in

        tables = self._tables()
        drafts = {ref.dataset for ref in map(parse_ref, (before, after)) if ref.is_draft}
        waiting = waiting_in(tables, self.storage, drafts) if drafts else None
        return diff.diff(tables, target_of(tables, before), target_of(tables, after), rows, waiting)

    def rejections(  # noqa: PLR0913  the conditions of the command line, by name
        self,
        dataset: str,
        *,
        rules: Sequence[str] = (),
        paths: Sequence[str] = (),
        upload: str | None = None,
        entities: Sequence[str] = (),
        closed: bool = False,
        limit: int | None = None,
    ) -> Rejections:
        """What is refused and why, by rule; with `closed` what was refused and has since been accepted.

        `rules` and `paths` are names or patterns (`annotation.*`, `train/*`), `upload` is the beginning of an upload
        id, `entities` are of file, image, annotation, category. `limit` bounds the rows; the counts are of all.
        """
        from imagelake.client.quarantine import chosen
        from imagelake.client.quarantine import list_rejections as rejections

        conditions = chosen.Chosen(rules, paths, upload, entities, closed)
        return rejections.rejections(self._tables(), dataset, conditions, limit)

    def export_rejections(  # noqa: PLR0913  as rejections
        self,
        dataset: str,
        folder: str | Path,
        *,
        rules: Sequence[str] = (),
        paths: Sequence[str] = (),
        upload: str | None = None,
        entities: Sequence[str] = (),
        progress: ProgressCallback = ignore_progress,
    ) -> Export:
        """Write what is refused into a new folder, as files that can be mended and delivered again.

        Chosen as in `rejections`. UsageError for a folder that holds something.
        """
        from imagelake.client.quarantine import chosen, export

        conditions = chosen.Chosen(rules, paths, upload, entities)
        return export.export(self._tables(), self.storage, dataset, conditions, Path(folder), progress)

    def report(self, ref: str, *, progress: ProgressCallback = ignore_progress) -> Report:
        """One HTML page about a version or draft, or about what differs between two, written `D@v2..D@v3`."""
        from imagelake.report import build_report

        return build_report.report(self._tables(), self.storage, ref, progress)

    def sql(self, query: str, at: str | None = None) -> SqlResult:
        """One SELECT over the views of docs/views.md; they show version `at`, else every dataset's newest."""
        from imagelake.client.query import sql, views

        tables = self._tables()
        target = None if at is None else target_of(tables, at)
        return sql.run(views.Scope(tables, target, self._live_runs), query, lambda ref: target_of(tables, ref))

    def verify(
        self, ref: str, *, rows_only: bool = False, progress: ProgressCallback = ignore_progress
    ) -> Verification:
        """Compute a version's digest anew from its rows and, unless `rows_only`, the hash of every image's bytes."""
        from imagelake.client.inspect import verify

        tables = self._tables()
        return verify.verify(tables, self.storage, target_of(tables, ref), rows_only, progress=progress)

    def load(  # noqa: PLR0913  the selection of the command line, by name
        self,
        ref: str,
        *,
        split: Splits | None = None,
        where: str | None = None,
        images: Collection[str] | None = None,
        sample: float | None = None,
        unlabelled: bool = False,
        oriented: bool = False,
        part: tuple[int, int] | None = None,
        even: Even = "pad",
    ) -> Samples:
        """Samples of a version for a trainer: all conditions hold together.

        `split` is one or a list of them, `where` a condition over the view images, `images` a list of keys, `sample` a
        share that follows the bytes. Unlabelled images are left out and counted unless `unlabelled`. `oriented` turns
        pixels and annotations by EXIF. `part` is (rank, world): one of so many parts in the order of content hashes,
        equally long as `even` says: pad repeats samples, drop leaves some out, none is uneven. `Samples.ref` loads the
        same again, and refuses any other digest.
        """
        from imagelake.client.data import load
        from imagelake.client.data.order import Part
        from imagelake.client.selection import Selection

        of = None if part is None else Part(*part, even)
        asked = Selection(split, where, None, sample, unlabelled, oriented, of)
        return self._selected(load.load, ref, asked, images)

    def get(  # noqa: PLR0913  the selection of the command line, by name
        self,
        ref: str,
        folder: str | Path,
        *,
        format: str = "files",
        partition_by: str | Sequence[str] | None = None,
        split: Splits | None = None,
        where: str | None = None,
        images: Collection[str] | None = None,
        sample: float | None = None,
        unlabelled: bool = False,
        progress: Callable[[int, int], None] = _ignore,
    ) -> Exported:
        """Write a selection of a version into a new folder, in a format of docs/exports.md; parquet may be partitioned.

        The same call again takes up what an interrupted one left, and does nothing when the folder is there. Formats
        that cannot tell unlabelled images from images without objects leave them out, counted, unless `unlabelled`.
        `progress` is told how many images of how many are written.
        """
        from imagelake.client.data import load
        from imagelake.client.selection import Selection
        from imagelake.exports import export_content, formats, get

        layout = formats.format_of(format, partition_by)
        asked = Selection(split, where, None, sample, unlabelled or layout.has_unlabelled, layout.oriented)
        samples = self._selected(load.load, ref, asked, images)
        return get.export(export_content.content_of(self.storage, samples), layout, Path(folder), progress)

    def snapshot(self, ref: str) -> ParquetSnapshot:
        """A version as plain Parquet files in the lake, for pandas, Polars, DuckDB and Spark; see docs/snapshots.md.

        Made when it is first asked for, which needs the right to write below snapshots/ (ConfigError says so); from
        then on it is only looked up. UsageError for a draft.
        """
        from imagelake.exports.parquet import snapshot

        tables = self._tables()
        return snapshot.snapshot(tables, self.storage, target_of(tables, ref))

    def urls(
        self,
        ref: str,
        *,
        split: Splits | None = None,
        where: str | None = None,
        images: Collection[str] | None = None,
        sample: float | None = None,
        expires: int = 3600,
    ) -> Urls:
        """Presigned URLs of a selection, as `load` chooses it but with the unlabelled images.

        They live `expires` seconds, at most seven days. UsageError for a lake in a folder.
        """
        from imagelake.client.selection import Selection
        from imagelake.client.serve import urls
        from imagelake.storage.s3.presign import check_seconds, require_urls

        require_urls(self.storage)
        check_seconds(expires)
        asked = Selection(split, where, None, sample, unlabelled=True)
        return self._selected(partial(urls.urls, expires=expires), ref, asked, images)

    def images(
        self, ref: str, *, where: str | None = None, after: str | None = None, limit: int = 100, expires: int = 3600
    ) -> Page:
        """A page of images in key order, from beyond the key `after`, with labels, etags and URLs.

        A draft's labels are shown with the waiting saves; `where` knows only what is in the draft already.
        """
        from imagelake.client.labelling import label_pages

        request = label_pages.PageRequest(where, after, limit, expires)
        return label_pages.page(self._warm(), parse_ref(ref), request, self._matching)

    def save_labels(
        self,
        ref: str,
        key: str,
        annotations: Sequence[Annotation | Mapping[str, Any]],
        by: str,
        *,
        base: str,
        kinds: Sequence[str] = ("box",),
    ) -> str:
        """Save all annotations of these kinds of a draft's image; its new etag. The next ingest builds them.

        Conflict, and nothing is saved, when the labels have not the etag `base` any more.
        """
        from imagelake.client.labelling import save_labels as labelling

        return labelling.save(self._warm(), parse_ref(ref), key, labelling.Labels(annotations, by, base, kinds))

    def upload_url(
        self, name: str, *, size: int, parts: int = 1, content_type: str | None = None, expires: int = 3600
    ) -> UploadTicket:
        """URLs to put one file of that size, `<dataset>/<file>`, under landing/, at once or in parts."""
        from imagelake.client.serve import tickets

        return tickets.ticket(self.storage, tickets.Offer(name, size, parts, content_type, expires))

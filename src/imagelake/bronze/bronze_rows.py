"""What an upload's members become in bronze: the rows of bronze.files, the upload id, the counts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.bronze.probe.probe_unread import UNSUPPORTED
from imagelake.core.upload_paths import IMAGE_TYPES, is_image_name, is_mask_path, is_paper
from imagelake.core.wording import NAMED, tallied
from imagelake.errors import UploadRejected
from imagelake.formats.detect import Choice
from imagelake.runs.context import Context, Counts
from imagelake.tables import bronze
from imagelake.tables.delta.types import arrow_schema
from imagelake.uploads.member_rows import Members
from imagelake.uploads.source import UploadSource
from imagelake.uploads.source_rows import pieces, rows_of, texts

_RACY_NS = 2_000_000_000
"""A file changed this shortly before it was read may change again without a new mtime: its mtime proves nothing."""

_SCHEMA = arrow_schema(bronze.FILES)

_TELLING = ("path", "media_type", "problem_rule")
"""What tells the role of a file that no reader names."""

_FORMATS_BY_STEM = frozenset(("voc", "yolo"))
"""Formats whose labels may name their image without its suffix."""


def upload_id(probe_rows: pa.Table) -> str:
    """sha256 over the sorted lines `path NUL content hash`; a file that cannot be read counts with its problem.

    So does a picture of a kind that is not read: once it is, the same files are another upload, and come in.
    """
    content = pc.coalesce(probe_rows["content_hash"], probe_rows["problem_rule"], pa.scalar("unreadable"))
    is_unread = pc.fill_null(pc.equal(probe_rows["problem_rule"], UNSUPPORTED), False)
    content = pc.if_else(is_unread, pc.binary_join_element_wise(content, probe_rows["problem_rule"], " "), content)
    lines = pa.table([probe_rows["path"], content], ["path", "content"])
    digest = hashlib.sha256()
    for path, value in rows_of(lines.take(pc.sort_indices(lines["path"])), "path", "content"):
        digest.update(f"{path}\0{value}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def files(
    ctx: Context, dataset: str, attempt_id: str, source: UploadSource, choice: Choice, probe_rows: pa.Table
) -> pa.Table:
    """Rows of bronze.files: every member with its role and facts, and what was ignored."""
    columns = {name: probe_rows[name] for name in bronze.FILES.names if name in probe_rows.column_names}
    columns["role"] = _roles(probe_rows, choice)
    if source.kind != "zip":
        columns |= _origin(ctx, source, probe_rows["path"])
    members = _table(dataset, attempt_id, columns, len(probe_rows))
    left_out = source.ignored.table
    ignored = {
        "role": ["ignored"] * len(left_out),
        "path": left_out["path"],
        "length": left_out["length"],
        "problem": left_out["reason"],
    }
    return pa.concat_tables([members, _table(dataset, attempt_id, ignored, len(left_out))])


def _origin(ctx: Context, source: UploadSource, paths: pa.ChunkedArray) -> dict[str, Any]:
    """Where loose files come from, and what tells a change of them."""
    members = source.members.table
    members = members.take(pc.index_in(paths.cast(pa.large_string()), members["path"]))
    mtimes = members["mtime_ns"]
    is_trusted = pc.less_equal(mtimes, _newest_trusted(ctx))
    return {
        "source": source.uris(Members(members)),
        "source_mtime_ns": pc.if_else(is_trusted, mtimes, pa.scalar(None, pa.int64())),
        "source_etag": members["etag"],
    }


def landed_counts(rows: pa.Table) -> Counts:
    """File counts as far as ingest can tell: masks and unknown files are ignored, damaged ones rejected."""
    members = Counter(rows_of(rows, "role", "problem_rule"))
    rejected = sum(
        count for (role, rule), count in members.items() if role not in ("ignored", "mask") and rule is not None
    )
    ignored = sum(
        count
        for (role, rule), count in members.items()
        if role in ("ignored", "mask") or (role == "unknown" and rule is None)
    )
    read = members.total()
    return Counts(read=read, ignored=ignored, rejected=rejected, accepted=read - ignored - rejected)


def recognition(rows: pa.Table, choice: Choice, wrapper: str) -> str:
    """What an upload was recognised as, as JSON: the choice, the files no reader used, the wrapper folder."""
    unread = {file.path for file in choice.unread}
    is_unknown = pc.and_(pc.equal(rows["role"], "unknown"), pc.is_null(rows["problem_rule"]))
    names = [path for path in texts(rows["path"].filter(is_unknown)) if path not in unread]
    nobody = {"files": len(names), "names": names[:NAMED]}
    return json.dumps({**choice.as_json(), "nobody": nobody, "wrapper": wrapper})


def check_usable(probe_rows: pa.Table, choice: Choice) -> None:
    """UploadRejected when there is no image that can be read and no annotation document: then nothing is lost."""
    if choice.detection.documents:
        return
    reasons: Counter[str] = Counter()
    first_problem = ""
    for path, media_type, rule, problem in rows_of(probe_rows, "path", "media_type", "problem_rule", "problem"):
        role = _role(path, media_type, rule == UNSUPPORTED)
        if rule is None and role == "image":
            return
        reasons[rule or (media_type if role == "unknown" else role) or "of no known type"] += 1
        if rule is not None and not first_problem:
            first_problem = f"; {path}: {problem}"
    total = sum(reasons.values())
    raise UploadRejected(
        f"no image and no annotation document in this upload can be used; of {total:,} files {tallied(reasons)}"
        + first_problem,
        hint="look at the files: they may have been cut off or emptied on their way, or are of a kind that is not read",
        rule="upload.nothing_usable",
    )


def _table(dataset: str, attempt_id: str, columns: Mapping[str, Any], count: int) -> pa.Table:
    """A table of bronze.files from some of its columns; the others are null."""
    columns = {**columns, "dataset": [dataset] * count, "attempt_id": [attempt_id] * count}
    arrays = [_array(columns.get(field.name), field.type, count) for field in _SCHEMA]
    return pa.table(arrays, schema=_SCHEMA)


def _array(values: Any, kind: pa.DataType, count: int) -> Any:
    if values is None:
        return pa.nulls(count, kind)
    return values.cast(kind) if isinstance(values, pa.ChunkedArray) else pa.array(values, kind)


def trusted_mtime(ctx: Context, mtime_ns: int | None) -> int | None:
    """The mtime, unless it is so recent that the file may change again without a new one."""
    return None if mtime_ns is None or mtime_ns > _newest_trusted(ctx) else mtime_ns


def _newest_trusted(ctx: Context) -> int:
    return int(ctx.clock().timestamp() * 1e9 - _RACY_NS)


def _roles(probe_rows: pa.Table, choice: Choice) -> pa.ChunkedArray:
    """The role of each file: what the format's reader says, else by name, folder and bytes."""
    roles = _other_roles(probe_rows)
    if choice.reader in _FORMATS_BY_STEM:
        roles = _with_role(roles, probe_rows["path"], _developed(probe_rows, roles), "unknown")
    detection = choice.detection
    for paths, role in ((detection.masks, "mask"), (detection.meta, "meta"), (detection.documents, "annotation")):
        roles = _with_role(roles, probe_rows["path"], paths, role)
    return roles


def _with_role(roles: pa.ChunkedArray, paths: pa.ChunkedArray, named: Iterable[str], role: str) -> pa.ChunkedArray:
    """The roles with another one for the files that are named."""
    names = pa.array(named, pa.string())
    return pc.if_else(pc.is_in(paths, names), pa.scalar(role), roles) if len(names) else roles


def _other_roles(probe_rows: pa.Table) -> pa.ChunkedArray:
    """The roles of files by their names, folders and bytes alone."""
    return pa.chunked_array(
        [
            pa.array(
                [_role(path, kind, rule == UNSUPPORTED) for path, kind, rule in rows_of(piece, *_TELLING)], pa.string()
            )
            for piece in pieces(probe_rows.select(_TELLING))
        ],
        pa.string(),
    )


def _developed(probe_rows: pa.Table, roles: pa.ChunkedArray) -> list[str]:
    """Images of kinds that are not read beside one that is: `a.dng` beside `a.jpg`, which the labels of `a` mean."""
    is_image = pc.equal(roles, "image")
    is_unread = pc.fill_null(pc.equal(probe_rows["problem_rule"], UNSUPPORTED), False)
    unread = probe_rows["path"].filter(pc.and_(is_image, is_unread)).to_pylist()
    stems = {_stem(path) for path in unread}
    if not stems:
        return []
    images = texts(probe_rows["path"].filter(pc.and_(is_image, pc.invert(is_unread))))
    read = {_stem(path) for path in images if _stem(path) in stems}
    return [path for path in unread if _stem(path) in read]


def _role(path: str, media_type: str | None, is_unread: bool) -> str:
    """An image by its suffix or its bytes, whatever its name; other files that go with any data set by their name."""
    if is_unread or is_image_name(path) or (media_type or "") in IMAGE_TYPES:
        return "mask" if is_mask_path(path) else "image"
    return "meta" if is_paper(path) or path.rpartition("/")[2].lower().startswith("meta.") else "unknown"


def _stem(path: str) -> str:
    return path.rpartition(".")[0]


def trusted_stamp(ctx: Context, stamp: str | None) -> str | None:
    """The stamp `size-mtime` of a file, unless it has changed so recently that it may change again unseen."""
    if stamp is None:
        return None
    mtime = stamp.rpartition("-")[2]
    return stamp if not mtime.isdigit() or trusted_mtime(ctx, int(mtime)) is not None else None

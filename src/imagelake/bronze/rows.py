"""What an upload's members become in bronze: the rows of bronze.files, the upload id, the counts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.bronze.probe_unread import UNSUPPORTED
from imagelake.context import Context, Counts
from imagelake.errors import UploadRejected
from imagelake.formats.detect import Choice
from imagelake.keys import IMAGE_TYPES, is_image_name, is_mask_path, is_paper
from imagelake.storage.source import Source
from imagelake.tables import bronze
from imagelake.wording import NAMED, tallied

_RACY_NS = 2_000_000_000
"""A file changed this shortly before it was read may change again without a new mtime: its mtime proves nothing."""

_TYPES = {"string": pa.string(), "bigint": pa.int64(), "int": pa.int32(), "double": pa.float64()}
_SCHEMA = pa.schema([(c.name, _TYPES[c.type]) for c in bronze.FILES.columns])

_FORMATS_BY_STEM = frozenset(("voc", "yolo"))
"""Formats whose labels may name their image without its suffix."""


def upload_id(facts: pa.Table) -> str:
    """sha256 over the sorted lines `path NUL content hash`; a file that cannot be read counts with its problem.

    So does a picture of a kind that is not read: once it is, the same files are another upload, and come in.
    """
    content = pc.coalesce(facts["content_hash"], facts["problem_rule"], pa.scalar("unreadable"))
    is_unread = pc.fill_null(pc.equal(facts["problem_rule"], UNSUPPORTED), False)
    content = pc.if_else(is_unread, pc.binary_join_element_wise(content, facts["problem_rule"], " "), content)
    digest = hashlib.sha256()
    for path, value in sorted(zip(facts["path"].to_pylist(), content.to_pylist(), strict=True)):
        digest.update(f"{path}\0{value}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def files(ctx: Context, dataset: str, attempt_id: str, source: Source, choice: Choice, facts: pa.Table) -> pa.Table:
    """Rows of bronze.files: every member with its role and facts, and what was ignored."""
    roles = _other_roles(facts)
    if choice.reader in _FORMATS_BY_STEM:
        roles |= dict.fromkeys(_developed(facts, roles), "unknown")
    roles |= _named_roles(choice)
    members = {m.path: m for m in source.members}
    rows: dict[str, list[Any]] = {name: [] for name in bronze.FILES.names}
    for path in facts["path"].to_pylist():
        member = members[path]
        loose = member.entry is None
        rows["role"].append(roles[path])
        rows["source"].append(source.member_uri(member) if loose else None)
        rows["source_mtime_ns"].append(trusted_mtime(ctx, member.mtime_ns) if loose else None)
        rows["source_etag"].append(member.etag)
    known = {name: facts[name] for name in bronze.FILES.names if name in facts.column_names}
    base = {"dataset": [dataset] * len(facts), "attempt_id": [attempt_id] * len(facts)}
    taken = _table(len(facts), {**{k: v for k, v in rows.items() if v}, **known, **base})
    ignored = {
        "dataset": [dataset] * len(source.ignored),
        "attempt_id": [attempt_id] * len(source.ignored),
        "role": ["ignored"] * len(source.ignored),
        "path": [i.path for i in source.ignored],
        "length": [i.length for i in source.ignored],
        "problem": [i.reason for i in source.ignored],
    }
    return pa.concat_tables([taken, _table(len(source.ignored), ignored)])


def landed_counts(rows: pa.Table) -> Counts:
    """File counts as far as ingest can tell: masks and unknown files are ignored, damaged ones rejected."""
    members = list(zip(rows["role"].to_pylist(), rows["problem_rule"].to_pylist(), strict=True))
    rejected = sum(role not in ("ignored", "mask") and rule is not None for role, rule in members)
    ignored = sum(role in ("ignored", "mask") or (role == "unknown" and rule is None) for role, rule in members)
    return Counts(read=len(members), ignored=ignored, rejected=rejected, accepted=len(members) - ignored - rejected)


def recognition(rows: pa.Table, choice: Choice, wrapper: str) -> str:
    """What an upload was recognised as, as JSON: the choice, the files no reader used, the wrapper folder."""
    unread = {file.path for file in choice.unread}
    members = zip(rows["path"].to_pylist(), rows["role"].to_pylist(), rows["problem_rule"].to_pylist(), strict=True)
    names = [path for path, role, rule in members if role == "unknown" and rule is None and path not in unread]
    nobody = {"files": len(names), "names": names[:NAMED]}
    return json.dumps({**choice.as_json(), "nobody": nobody, "wrapper": wrapper})


def check_usable(facts: pa.Table, choice: Choice) -> None:
    """UploadRejected when there is no image that can be read and no annotation document: then nothing is lost."""
    if choice.detection.documents:
        return
    reasons: Counter[str] = Counter()
    problems: list[str] = []
    columns = (facts[name].to_pylist() for name in ("path", "media_type", "problem_rule", "problem"))
    for path, media_type, rule, problem in zip(*columns, strict=True):
        role = _role(path, media_type, rule == UNSUPPORTED)
        if rule is None and role == "image":
            return
        reasons[rule or (media_type if role == "unknown" else role) or "of no known type"] += 1
        problems += [f"; {path}: {problem}"] if rule is not None else []
    total = sum(reasons.values())
    raise UploadRejected(
        f"no image and no annotation document in this upload can be used; of {total:,} files {tallied(reasons)}"
        + "".join(problems[:1]),
        hint="look at the files: they may have been cut off or emptied on their way, or are of a kind that is not read",
        rule="upload.nothing_usable",
    )


def _table(count: int, columns: Mapping[str, Any]) -> pa.Table:
    """A table of bronze.files from some of its columns; the others are null."""
    arrays = []
    for field in _SCHEMA:
        given = columns.get(field.name)
        arrays.append(pa.nulls(count, field.type) if given is None else _array(given, field.type))
    return pa.table(arrays, schema=_SCHEMA)


def _array(values: Any, kind: pa.DataType) -> Any:
    return values.cast(kind) if isinstance(values, pa.ChunkedArray) else pa.array(values, kind)


def trusted_mtime(ctx: Context, mtime_ns: int | None) -> int | None:
    """The mtime, unless it is so recent that the file may change again without a new one."""
    if mtime_ns is None or mtime_ns > ctx.clock().timestamp() * 1e9 - _RACY_NS:
        return None
    return mtime_ns


def _named_roles(choice: Choice) -> dict[str, str]:
    """The roles of the files that the format's reader names, by path."""
    detection = choice.detection
    return {
        **dict.fromkeys(detection.masks, "mask"),
        **dict.fromkeys(detection.meta, "meta"),
        **dict.fromkeys(detection.documents, "annotation"),
    }


def _other_roles(facts: pa.Table) -> dict[str, str]:
    """The roles of files by their names, folders and bytes alone, by path."""
    columns = (facts[name].to_pylist() for name in ("path", "media_type", "problem_rule"))
    return {path: _role(path, kind, rule == UNSUPPORTED) for path, kind, rule in zip(*columns, strict=True)}


def _developed(facts: pa.Table, roles: Mapping[str, str]) -> set[str]:
    """Images of kinds that are not read beside one that is: `a.dng` beside `a.jpg`, which the labels of `a` mean."""
    unread = set(facts.filter(pc.equal(facts["problem_rule"], UNSUPPORTED))["path"].to_pylist())
    read = {_stem(path) for path, role in roles.items() if role == "image" and path not in unread} if unread else ()
    return {path for path in unread if roles[path] == "image" and _stem(path) in read}


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

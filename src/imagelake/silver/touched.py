"""What of a draft a small upload may touch, by name: every image key that it or its documents may mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.core import upload_paths
from imagelake.silver.rows.match_images import draft_names, waited_name
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.silver.upload.read_upload import ParsedUpload
from imagelake.tables.delta.pinned import Mask, is_in
from imagelake.tables.frames import collected

_SUFFIX = r"\.[^./]*$"
_RECORD = ("document", "file", "by_stem", "absolute")


@dataclass(frozen=True)
class Touched:
    """The image keys an upload may mean, those without suffix, base names where they count, hashes and paths."""

    names: frozenset[str]
    stems: frozenset[str]
    bases: frozenset[str]
    hashes: frozenset[str]
    paths: frozenset[str]

    def is_key(self) -> Mask:
        """The mask of image keys that are meant."""
        names, stems, bases = (pa.array(sorted(part), pa.string()) for part in (self.names, self.stems, self.bases))

        def mask(column: Any) -> Any:
            values = column.cast(pa.string())
            meant = pc.is_in(values, value_set=names)
            if len(stems):
                bare = pc.replace_substring_regex(values, _SUFFIX, "")
                meant = pc.or_(meant, pc.is_in(bare, value_set=stems))
            if len(bases):
                last = pc.replace_substring_regex(values, r"^.*/", "")
                bare = pc.replace_substring_regex(last, _SUFFIX, "")
                of_base = pc.or_(pc.is_in(last, value_set=bases), pc.is_in(bare, value_set=bases))
                meant = pc.or_(meant, of_base)
            return meant

        return mask

    def is_hash(self) -> Mask:
        """The mask of content hashes that the upload has too."""
        return is_in(pa.array(sorted(self.hashes), pa.string()))

    def may_be_waited_for(self, record: str | None) -> bool:
        """Whether a record that waits (JSON of a row of records) may mean an image of the upload."""
        row = json.loads(record) if record else None
        if row is None or row["absolute"]:
            return False
        asked = draft_names(row)
        return any(name in self.names or (row["by_stem"] and name in self.bare_names) for name in asked)

    @cached_property
    def bare_names(self) -> frozenset[str]:
        """The image keys without suffix."""
        return frozenset(re.sub(_SUFFIX, "", name) for name in self.names)

    def is_path(self) -> Mask:
        """The mask of paths that the upload has too."""
        return is_in(pa.array(sorted(self.paths), pa.string()))


def touched_by(upload: LandedUpload, parsed: ParsedUpload, by_name: bool) -> Touched:
    """What an upload may touch. parsed: its files and records; by_name: labels may mean an image by its base name."""
    files = collected(parsed.listed).select(["path", "role", "content_hash"]).to_pylist()
    images = [file for file in files if file["role"] == "image"]
    names = {name for file in images for name in _names_of(file["path"])}
    records = collected(parsed.records.where("type = 'image'").select(*_RECORD).distinct()).to_pylist()
    whole, stems, bases = _of_records(records, by_name)
    if upload.mode == "remove":
        names |= {file["path"] for file in files}
    return Touched(
        frozenset(names | whole),
        frozenset(stems),
        frozenset(bases),
        frozenset(file["content_hash"] for file in images if file["content_hash"] is not None),
        frozenset(file["path"] for file in files),
    )


def _names_of(path: str) -> Iterable[str]:
    parts = upload_paths.take_apart(path)
    return (path, parts.split_key, parts.key)


def _of_records(records: Iterable[Mapping[str, Any]], by_name: bool) -> tuple[set[str], set[str], set[str]]:
    whole: set[str] = set()
    stems: set[str] = set()
    bases: set[str] = set()
    for record in records:
        row = dict(record)
        asked = draft_names(row)
        whole.update((*asked, waited_name(row)))
        if row["by_stem"]:
            stems.update(asked)
        if by_name:
            bases.add(row["file"].rpartition("/")[2])
    return whole, stems, bases

"""The counts of an upload as its row in bronze.uploads has them, with the rules that it breaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from imagelake.core.wording import listed
from imagelake.errors import UploadRejected
from imagelake.quality.catalogue import BY_ID, OFF
from imagelake.runs.context import Counts


@dataclass(frozen=True)
class UploadCounts:
    """Counts by entity, broken rules, sentences for people, and whose rows were changed or confirmed.

    `warnings` are broken rules by id until `judged` has told those that are for information apart.
    """

    files: Counts
    images: Counts
    annotations: Counts
    rejections: int
    warnings: dict[str, int]
    supersedes: tuple[str, ...]
    confirms: tuple[str, ...]
    notices: tuple[str, ...] = ()
    infos: dict[str, int] = field(default_factory=dict)

    def columns(self) -> dict[str, Any]:
        """The counts as columns of bronze.uploads."""
        return {
            "files": asdict(self.files),
            "images": asdict(self.images),
            "annotations": asdict(self.annotations),
            "rejections": self.rejections,
            "warnings": json.dumps(self.warnings, sort_keys=True),
            "infos": json.dumps(self.infos, sort_keys=True),
            "supersedes": list(self.supersedes),
            "confirms": list(self.confirms),
        }


def count_as_before(row: Mapping[str, Any]) -> UploadCounts:
    """The counts of an upload that came before and is not applied: what was accepted then is unchanged now."""
    files, images, annotations = (Counts(**row[entity]).as_unchanged() for entity in ("files", "images", "annotations"))
    warnings, infos = (json.loads(row[name] or "{}") for name in ("warnings", "infos"))
    confirms = tuple(row["confirms"] or ())
    return UploadCounts(files, images, annotations, 0, warnings, (), confirms, (), infos)


def judged(counts: UploadCounts, severities: Mapping[str, str]) -> UploadCounts:
    """The counts with broken rules by what the dataset makes of them; UploadRejected where one rejects the upload.

    Rows that are refused are no warnings: here it is about the upload as a whole, its files and its classes.
    """
    broken = {rule: n for rule, n in counts.warnings.items() if severities[rule] != OFF}
    for rule, n in sorted(broken.items()):
        if severities[rule] == "reject":
            raise UploadRejected(
                f"{n} times {rule}: {BY_ID[rule].doc}",
                hint="the dataset's settings (severities) say that this rejects an upload",
                rule=rule,
            )
    infos = {rule: n for rule, n in broken.items() if severities[rule] == "info"}
    return replace(counts, warnings={rule: n for rule, n in broken.items() if rule not in infos}, infos=infos)


def with_recognition(counts: UploadCounts, recognition: Mapping[str, Any]) -> UploadCounts:
    """Add the notes of format detection at ingest: labels that no reader takes, and files that nobody read."""
    unread, nobody = (recognition.get(name, {}) for name in ("unread", "nobody"))
    notices = list(recognition.get("seen", ()))
    if nobody.get("files"):
        notices.append(f"read by no reader: {listed(nobody['names'], nobody['files'])}")
    wrapped = {"upload.wrapper_folder": 1} if recognition.get("wrapper") else {}
    unread_labels = {"upload.labels_not_read": unread["files"]} if unread.get("files") else {}
    is_unlabelled = recognition.get("chosen", {}).get("format") == "images" and counts.images.read
    unlabelled = {"upload.unlabelled": 1} if is_unlabelled else {}
    warnings = {**counts.warnings, **unread_labels, **wrapped, **unlabelled}
    return replace(counts, warnings=warnings, notices=(*notices, *counts.notices))

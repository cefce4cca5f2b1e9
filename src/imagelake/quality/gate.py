"""The gate before gold: shares of rejected rows that a draft may have. The verdict is stored with the version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from imagelake.dataset_settings import GateSettings

_NAMED_UPLOADS = 10
_SHORT_ID = 8


@dataclass(frozen=True)
class UploadRows:
    """Annotations that one upload since the parent version brought, and how many of them are rejected."""

    upload_id: str
    source: str
    read: int
    rejected: int

    @property
    def share(self) -> float:
        """Rejected of read, 0 to 1."""
        return _share(self.rejected, max(self.read, self.rejected))


@dataclass(frozen=True)
class Measures:
    """Rows of the draft and its open rejections.

    `rejected` counts all open rejections; the other numbers of rejections leave out those that wait for an image.
    """

    images: int = 0
    annotations: int = 0
    rejected: int = 0
    rejected_images: int = 0
    rejected_annotations: int = 0
    uploads: tuple[UploadRows, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The measures of a draft, and why the gate refuses it (empty when it does not)."""

    measures: Measures
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the draft may be published."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Every number the verdict rests on as plain data; `rejected_upload_share` is that of the worst upload."""
        m = self.measures
        return {
            "images": m.images,
            "annotations": m.annotations,
            "rejected": m.rejected,
            "rejected_share": _share(m.rejected, m.images + m.annotations + m.rejected),
            "rejected_images": m.rejected_images,
            "rejected_images_share": _share(m.rejected_images, m.images + m.rejected_images),
            "rejected_annotations": m.rejected_annotations,
            "rejected_annotations_share": _share(m.rejected_annotations, m.annotations + m.rejected_annotations),
            "rejected_upload_share": max((upload.share for upload in m.uploads), default=0.0),
            "uploads": [{**asdict(upload), "rejected_share": upload.share} for upload in m.uploads],
            "problems": list(self.problems),
            "passed": self.passed,
        }


def judge(measures: Measures, gate: GateSettings) -> Verdict:
    """The verdict on a draft: each measure against its threshold."""
    return Verdict(measures, (*_whole(measures, gate), *_entities(measures, gate), *_uploads(measures, gate)))


def _whole(m: Measures, gate: GateSettings) -> Iterator[str]:
    if m.images < gate.min_images:
        yield f"{m.images} images accepted, gate.min_images asks for {gate.min_images}"
    total = m.images + m.annotations + m.rejected
    if _share(m.rejected, total) > gate.max_rejected_share:
        yield f"{_numbers(m.rejected, total, 'rows')}, {_allowed('max_rejected_share', gate.max_rejected_share)}"


def _entities(m: Measures, gate: GateSettings) -> Iterator[str]:
    for name, accepted, rejected, most in (
        ("images", m.images, m.rejected_images, gate.max_rejected_images_share),
        ("annotations", m.annotations, m.rejected_annotations, gate.max_rejected_annotations_share),
    ):
        if _share(rejected, accepted + rejected) > most:
            yield f"{_numbers(rejected, accepted + rejected, name)}, {_allowed(f'max_rejected_{name}_share', most)}"


def _uploads(m: Measures, gate: GateSettings) -> Iterator[str]:
    most = gate.max_rejected_upload_share
    bad = [upload for upload in m.uploads if upload.share > most]
    for upload in bad[:_NAMED_UPLOADS]:
        numbers = _numbers(upload.rejected, max(upload.read, upload.rejected), "annotations")
        name = f"upload {upload.upload_id[:_SHORT_ID]} ({upload.source})"
        yield f"{name}: {numbers}, {_allowed('max_rejected_upload_share', most)}"
    if len(bad) > _NAMED_UPLOADS:
        yield f"{len(bad) - _NAMED_UPLOADS} more uploads above gate.max_rejected_upload_share"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _numbers(rejected: int, total: int, rows: str) -> str:
    return f"{rejected} of {total} {rows} rejected ({_share(rejected, total):.1%})"


def _allowed(setting: str, most: float) -> str:
    return f"gate.{setting} allows {most:.1%}"

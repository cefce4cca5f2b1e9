"""The dataset formats imagelake reads, in the order in which they are asked."""

from __future__ import annotations

from imagelake.errors import UsageError
from imagelake.formats.base import Reader
from imagelake.formats.coco.reader import CocoReader
from imagelake.formats.imagefolder import ImageFolderReader, ImagesReader
from imagelake.formats.labels import LabelsReader
from imagelake.formats.voc.reader import VocReader
from imagelake.formats.yolo.reader import YoloReader

READERS: tuple[Reader, ...] = (
    CocoReader(),
    VocReader(),
    YoloReader(),
    LabelsReader(),
    ImageFolderReader(),
    ImagesReader(),
)

FORMAT_NAMES: tuple[str, ...] = tuple(r.name for r in READERS)


def reader(name: str) -> Reader:
    """The reader of a format; UsageError for a name that is none."""
    for candidate in READERS:
        if candidate.name == name:
            return candidate
    raise UsageError(f"unknown format {name!r}", hint=f"use one of {', '.join(FORMAT_NAMES)}")

"""Every export format by its name."""

from __future__ import annotations

from collections.abc import Sequence

from imagelake.client.refs import nearest
from imagelake.errors import UsageError
from imagelake.exports.base import Format
from imagelake.exports.layouts.coco import Coco
from imagelake.exports.layouts.croissant import Croissant
from imagelake.exports.layouts.cvat import Cvat
from imagelake.exports.layouts.hf_parquet import HuggingFace
from imagelake.exports.layouts.imagefolder import ImageFolder
from imagelake.exports.layouts.labelstudio import LabelStudio
from imagelake.exports.layouts.voc import Voc
from imagelake.exports.layouts.webdataset import WebDataset
from imagelake.exports.layouts.yolo import Yolo, YoloPose, YoloSegment
from imagelake.exports.parquet.keys import partition_keys
from imagelake.exports.parquet.layout import Parquet
from imagelake.exports.stored_images import Files

FORMATS: tuple[Format, ...] = (
    Files(),
    Coco(),
    Yolo(),
    YoloSegment(),
    YoloPose(),
    Voc(),
    ImageFolder(),
    WebDataset(),
    HuggingFace(),
    LabelStudio(),
    Cvat(),
    Croissant(),
    Parquet(),
)

NAMES = tuple(each.name for each in FORMATS)


def format_of(name: str, partition_by: str | Sequence[str] | None = None) -> Format:
    """The format of that name, partitioned by these keys; UsageError where it cannot be, or with the nearest names."""
    layout = _named(name)
    keys = () if partition_by is None else partition_keys(partition_by)
    if not keys:
        return layout
    if not isinstance(layout, Parquet):
        raise UsageError(f"--format {name} has no partitions", hint="--partition-by is for --format parquet")
    return Parquet(keys)


def _named(name: str) -> Format:
    for each in FORMATS:
        if each.name == name:
            return each
    raise UsageError(f"--format {name}: no such format", hint=nearest(name, NAMES, "formats"))

"""`yolo`, `yolo-segment` and `yolo-pose`: a text file for each image, a row for each object (Ultralytics data sets)."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from imagelake.errors import UsageError
from imagelake.exports.base import ExportContent
from imagelake.exports.entries import entries
from imagelake.exports.folder import ExportFolder
from imagelake.exports.keypoints import keypoints_of
from imagelake.exports.layouts.yolo.layout import write_labels
from imagelake.exports.layouts.yolo.rows import box_row, outline_row, pose_row

_TRIPLE = 3


class Yolo:
    """Boxes."""

    name: ClassVar[str] = "yolo"
    has_unlabelled: ClassVar[bool] = False
    oriented: ClassVar[bool] = True

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """A row `class cx cy w h` for each object; of outlines and masks their box."""
        write_labels(content, folder, box_row, {})


class YoloSegment:
    """Outlines."""

    name: ClassVar[str] = "yolo-segment"
    has_unlabelled: ClassVar[bool] = False
    oriented: ClassVar[bool] = True

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """A row `class x1 y1 x2 y2 …` for each object; of boxes their four corners, of masks nothing."""
        write_labels(content, folder, outline_row, {})


class YoloPose:
    """Boxes with keypoints."""

    name: ClassVar[str] = "yolo-pose"
    has_unlabelled: ClassVar[bool] = False
    oriented: ClassVar[bool] = True

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """A row `class cx cy w h x1 y1 v1 …` for each object; UsageError when no object has keypoints.

        Every row has as many points as the longest: points that an object lacks are 0 0 0, not labelled.
        """
        counts = Counter(
            len(points) // _TRIPLE
            for entry in entries(content.samples)
            for annotation in entry.annotations
            if (points := keypoints_of(annotation, entry)) is not None
        )
        if not counts:
            raise UsageError(f"{content.ref} has no keypoints", hint="export its boxes with --format yolo")
        most = max(counts)
        if len(counts) > 1:
            folder.note(f"objects have {', '.join(map(str, sorted(counts)))} keypoints: rows are filled up to {most}")
        write_labels(content, folder, pose_row(most), {"kpt_shape": [most, _TRIPLE]})

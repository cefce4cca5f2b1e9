"""`files`: the images as they were uploaded, each at its key."""

from __future__ import annotations

from typing import ClassVar

from imagelake.exports.base import ExportContent
from imagelake.exports.folder import ExportFolder


class Files:
    """Images at their keys, without labels."""

    name: ClassVar[str] = "files"
    has_unlabelled: ClassVar[bool] = True
    oriented: ClassVar[bool] = False

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write the images; their labels are counted as what the format does not hold."""
        samples = content.samples
        folder.write_images(samples, samples.rows["image_key"].to_pylist())
        folder.lose("annotations: the format holds images only", samples.boxes.rows.num_rows)

"""The folders of a YOLO data set: `images/<split>/…`, `labels/<split>/….txt` and `data.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagelake.exports import unique_names
from imagelake.exports.base import ExportContent
from imagelake.exports.entries import entries, note_renamed, note_space
from imagelake.exports.folder import ExportFolder
from imagelake.exports.layouts.yolo.rows import Row

_WITHOUT_SPLIT = "unassigned"
_SPLITS = ("train", "val", "test")
"""The splits that data.yaml names; Ultralytics trains with none but these."""

_SUFFIXES = (".bmp", ".dng", ".heic", ".jpeg", ".jpg", ".mpo", ".pfm", ".png", ".tif", ".tiff", ".webp")
"""Ultralytics passes over images with any other."""


def write_labels(content: ExportContent, folder: ExportFolder, row: Row, more: Mapping[str, Any]) -> None:
    """Write a label file for each image, the images, and data.yaml with `more` in it."""
    samples = content.samples
    keys, splits = samples.rows["image_key"].to_pylist(), samples.rows["split"].to_pylist()
    folders = unique_names.split_folders(set(splits), _WITHOUT_SPLIT)
    proposals = [f"images/{folders[split]}/{key}" for split, key in zip(splits, keys, strict=True)]
    paths = unique_names.stems(proposals, keys)
    note_renamed(folder, proposals, paths)
    note_space(samples, folder)
    for entry in entries(samples):
        folder.lose("attributes of images", len(entry.attributes))
        rows = [line for annotation in entry.annotations if (line := row(annotation, entry, folder)) is not None]
        folder.write(label_path(paths[entry.index]), "".join(f"{line}\n" for line in rows).encode())
    used = {split: folders[split] for split in sorted(set(splits), key=lambda split: split or "")}
    folder.write("data.yaml", _data_yaml(content, used, more))
    _note_what_trainers_miss(folder, used, paths)
    folder.write_images(samples, paths)


def label_path(image_path: str) -> str:
    """Where Ultralytics looks for the labels of an image: the last folder `images` of its path is `labels` there."""
    above, _, below = f"/{image_path}".rpartition("/images/")
    return f"{unique_names.stem(f'{above}/labels/{below}'[1:])}.txt"


def _data_yaml(content: ExportContent, folders: Mapping[str | None, str], more: Mapping[str, Any]) -> bytes:
    """Without `path`: paths then start at the document's own folder, wherever it is copied to."""
    import yaml

    classes = unique_names.class_names(content.samples.classes)
    document: dict[str, Any] = {split: f"images/{folders[split]}" for split in _SPLITS if split in folders}
    document |= {"nc": len(classes), "names": dict(enumerate(classes)), **more}
    return yaml.safe_dump(document, sort_keys=False).encode("ascii")


def _note_what_trainers_miss(folder: ExportFolder, folders: Mapping[str | None, str], paths: Sequence[str]) -> None:
    absent = [split for split in ("train", "val") if split not in folders]
    if absent:
        folder.note(f"data.yaml names no {' and no '.join(absent)}: Ultralytics asks for both")
    others = sorted(name for split, name in folders.items() if split not in _SPLITS)
    if others:
        folder.note(f"data.yaml does not name the folders {', '.join(others)}: Ultralytics knows {', '.join(_SPLITS)}")
    unread = [path for path in paths if not path.lower().endswith(_SUFFIXES)]
    if unread:
        folder.note(f"Ultralytics passes over {len(unread)} images for their suffix, for example {unread[0]!r}")

"""Labels of kinds that no reader takes: how their files look, so that they are named and not lost without a word.

Signs are those of the tools' own documentation: CVAT, LabelMe, Label Studio, VIA, VoTT, CreateML, Supervisely, Darwin,
Datumaro, Labelbox, SageMaker, Hugging Face image folders, TensorFlow and RetinaNet CSV, dlib.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagelake.formats.base import Tree, Unread, read_or_none
from imagelake.formats.text import head_utf8
from imagelake.formats.voc_xml import decode_head, root_name
from imagelake.keys import is_image_name, is_paper

HEAD = 16 << 10
"""Bytes of a file that are looked at: keys may stand behind an image that is embedded as text."""

BUDGET = 64 << 20
"""Bytes that are looked at in all; the files after them are judged by those of their folder and suffix."""

_SEPARATORS = (",", ";", "\t")
_WORD = re.compile(r"[^a-z0-9]+")
_NAME_COLUMNS = frozenset(
    ("filename", "file", "image", "imageid", "imagename", "imagepath", "path", "img", "id", "imgid")
)
_CLASS_COLUMNS = frozenset(
    ("class", "classname", "classid", "label", "labels", "labelname", "category", "species", "target")
)
_BOXES = (
    frozenset(("xmin", "ymin", "xmax", "ymax")),
    frozenset(("x1", "y1", "x2", "y2")),
    frozenset(("x", "y", "w", "h")),
    frozenset(("bboxx", "bboxy", "bboxwidth", "bboxheight")),
)
_BOX_COLUMNS = frozenset(("bbox", "box", "boxes", "regionshapeattributes", "encodedpixels"))
_BOX_CELLS = 6
"""Columns of RetinaNet's rows without a header: path, x1, y1, x2, y2, class."""


@dataclass(frozen=True)
class Kind:
    """A kind of JSON labels: its name, and the keys its files have near their beginning: all of some, one of others."""

    name: str
    all_of: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    is_list: bool = False

    def fits(self, text: str) -> bool:
        """Whether a text begins like it."""
        begins = text.startswith("[") if self.is_list else text.startswith(("{", "["))
        return (
            begins
            and all(_has(text, k) for k in self.all_of)
            and (not self.one_of or any(_has(text, k) for k in self.one_of))
        )


_JSON_KINDS = (
    Kind("LabelMe", ("shapes",), ("imagePath", "imageData", "flags", "version")),
    Kind("VIA", ("shape_attributes",)),
    Kind("VIA", ("_via_img_metadata",)),
    Kind("VoTT", ("regions",), ("asset", "boundingBox")),
    Kind("VoTT", ("assets", "videoSettings")),
    Kind("CreateML", ("annotations", "coordinates"), is_list=True),
    Kind("Label Studio", ("data",), ("annotations", "completions", "result"), is_list=True),
    Kind("Supervisely", ("objects",), ("classTitle", "geometryType")),
    Kind("Darwin", ("annotations",), ("bounding_box", "slot_names", "slots")),
    Kind("Datumaro", ("items", "categories"), ("media", "annotations", "attr")),
    Kind("Labelbox", ("data_row",)),
    Kind("Labelbox", ("Labeled Data",)),
    Kind("Cityscapes", ("imgHeight", "objects")),
    Kind("BDD100K", ("labels",), ("box2d", "poly2d")),
    Kind("SageMaker manifest", ("source-ref",)),
    Kind("GeoJSON", ("features", "geometry")),
)
_XML_ROOTS = {"annotations": "CVAT XML", "PcGts": "PAGE XML", "alto": "ALTO XML"}
_SUFFIX_KINDS = {".tfrecord": "TFRecord", ".record": "TFRecord", ".tfrecords": "TFRecord", ".parquet": "Parquet"}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_JSON = (".json", ".jsonl", ".ndjson", ".manifest", ".geojson", ".vott")
_LINES = (".jsonl", ".ndjson")
_TEXTS = (*_JSON, ".xml", ".csv", ".tsv")


def other_labels(tree: Tree, used: frozenset[str]) -> tuple[Unread, ...]:
    """The files of a tree, beside those that are used, that hold labels of a kind no reader takes, in order of path."""
    paths = [path for path in tree.paths if path not in used and not is_image_name(path) and not is_paper(path)]
    return tuple(sorted(_looked_at(tree, [path for path in paths if _suffix(path)]), key=lambda unread: unread.path))


def _looked_at(tree: Tree, paths: Sequence[str]) -> Iterator[Unread]:
    left = BUDGET
    kinds: dict[tuple[str, str], Unread] = {}
    for path in paths:
        suffix = _suffix(path)
        place = (path.rpartition("/")[0], suffix)
        if left <= 0:
            if place in kinds:
                yield Unread(path, kinds[place].kind, kinds[place].why)
            continue
        head = b"" if suffix in _SUFFIX_KINDS else read_or_none(tree, path, HEAD)
        left -= len(head or b"")
        unread = None if head is None else _judge(path, suffix, head)
        if unread is not None:
            kinds[place] = unread
            yield unread


def _judge(path: str, suffix: str, head: bytes) -> Unread | None:
    """What a file is, by the beginning of it."""
    if suffix in _SUFFIX_KINDS:
        return Unread(path, _SUFFIX_KINDS[suffix])
    if head.startswith((b"PK\x03\x04", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")) or suffix in _ARCHIVES:
        return Unread(path, "an archive", "archives in an upload are not opened; unpack it")
    if suffix == ".xml":
        kind = _xml_kind(head)
        return Unread(path, kind) if kind else None
    text = head_utf8(head).decode("utf-8", "ignore").lstrip("\ufeff").lstrip()
    kind = _json_kind(text, suffix) if suffix in _JSON else _table_kind(text)
    return Unread(path, kind) if kind else None


def _xml_kind(head: bytes) -> str | None:
    root, text = root_name(head) or "", decode_head(head)
    if root == "dataset" and "<images" in text:
        return "dlib imglab XML"
    return _XML_ROOTS.get(root)


def _json_kind(text: str, suffix: str) -> str | None:
    if suffix in _LINES and _has(text, "file_name"):
        return "Hugging Face metadata"
    return next((kind.name for kind in _JSON_KINDS if kind.fits(text)), None)


def _table_kind(text: str) -> str | None:
    """What a table of values is, by the names of its columns, or by its first row."""
    first = text.partition("\n")[0].strip()
    separator = max(_SEPARATORS, key=first.count)
    cells = [cell.strip().strip('"') for cell in first.split(separator)]
    if len(cells) < 2:
        return None
    if is_image_name(cells[0]):
        return "CSV of boxes" if len(cells) >= _BOX_CELLS else "CSV of classes"
    names = {_WORD.sub("", cell.lower()) for cell in cells}
    if "filename" in names and any(cell == "file_name" for cell in cells):
        return "Hugging Face metadata"
    if not names & _NAME_COLUMNS:
        return None
    if names & _BOX_COLUMNS or any(box <= names for box in _BOXES):
        return "CSV of boxes"
    rows = text.splitlines()[1:3]
    pictured = any(is_image_name(cell.strip().strip('"')) for row in rows for cell in row.split(separator))
    return "CSV of classes" if names & _CLASS_COLUMNS or pictured else None


def _has(text: str, key: str) -> bool:
    return f'"{key}"' in text


def _suffix(path: str) -> str:
    """The suffix of a file that may be labels; empty for any other."""
    name = path[path.rfind("/") + 1 :].lower()
    suffix = name[name.rfind(".") :] if "." in name else ""
    return suffix if suffix in _TEXTS or suffix in _SUFFIX_KINDS or suffix in _ARCHIVES else ""

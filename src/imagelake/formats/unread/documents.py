"""Documents of labels that no reader takes: JSON by its keys, XML by its root, YAML by its words, files of no content.

Signs are those of the tools' own documentation: CVAT, LabelMe, Label Studio, VIA, VoTT, CreateML, Supervisely, Darwin,
Datumaro, Labelbox, SageMaker, Hugging Face image folders, dlib.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagelake.core.upload_paths import is_image_name, split_name
from imagelake.formats.base import Unread
from imagelake.formats.paths import SUFFIXES
from imagelake.formats.small_documents import stem
from imagelake.formats.unread.names import MAYBE, ImageNames, is_telling, says_labels
from imagelake.formats.voc.xml import decode_head, root_name


@dataclass(frozen=True)
class DocumentKind:
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
    DocumentKind("LabelMe", ("shapes",), ("imagePath", "imageData", "flags", "version", "points", "shape_type")),
    DocumentKind("LabelMe", ("imageData",)),
    DocumentKind("VIA", ("shape_attributes",)),
    DocumentKind("VIA", ("file_attributes", "regions")),
    DocumentKind("VIA", ("_via_img_metadata",)),
    DocumentKind("VIA", ("project", "attribute", "file", "metadata")),
    DocumentKind("VoTT", ("regions",), ("asset", "boundingBox")),
    DocumentKind("VoTT", ("assets", "videoSettings")),
    DocumentKind("CreateML", ("annotations", "coordinates"), is_list=True),
    DocumentKind("Label Studio", ("data",), ("annotations", "completions", "result"), is_list=True),
    DocumentKind(
        "Label Studio", (), ("annotation_id", "rectanglelabels", "polygonlabels", "brushlabels"), is_list=True
    ),
    DocumentKind("Supervisely", ("objects",), ("classTitle", "geometryType")),
    DocumentKind("Darwin", ("annotations",), ("bounding_box", "slot_names", "slots")),
    DocumentKind("Datumaro", ("items", "categories"), ("media", "annotations", "attr")),
    DocumentKind("Labelbox", ("data_row",)),
    DocumentKind("Labelbox", ("Labeled Data",)),
    DocumentKind("Cityscapes", ("imgHeight", "objects")),
    DocumentKind("BDD100K", ("labels",), ("box2d", "poly2d")),
    DocumentKind("SageMaker manifest", ("source-ref",)),
    DocumentKind("GeoJSON", ("features", "geometry")),
)
_LINES = (".jsonl", ".ndjson")
_COCO = "COCO"
_COCO_KINDS = (
    DocumentKind(_COCO, ("images", "annotations")),
    DocumentKind(_COCO, ("images", "categories")),
    DocumentKind(_COCO, ("annotations", "categories")),
    DocumentKind(_COCO, ("images", "file_name")),
    DocumentKind(_COCO, ("annotations", "image_id"), ("bbox", "category_id", "segmentation")),
    DocumentKind(_COCO, ("categories", "supercategory")),
)
_LABEL_KEYS = frozenset(
    (
        *("label", "labels", "class", "classes", "class_name", "category", "category_id", "bbox", "bboxes", "box"),
        *("boxes", "polygon", "points", "keypoints", "objects", "annotations", "annotation", "caption", "captions"),
        *("text", "conversations", "segmentation", "rle", "tags", "answer"),
    )
)
_LABELLED_IMAGES, _NAMED_LABELS = "JSON about images", "JSON named like labels"
_STRING = re.compile(rf'"([^"\\]{{1,500}}(?:{SUFFIXES}))"', re.IGNORECASE)
_KEY = re.compile(r'"(\w{1,40})"\s*:')

_XML_ROOTS = {
    "annotations": "CVAT XML",
    "Annotations": "Aperio XML",
    "ASAP_Annotations": "ASAP XML",
    "PcGts": "PAGE XML",
    "alto": "ALTO XML",
    "tagset": "ICDAR XML",
    "object-stream": "object stream XML",
}
_OTHER_ROOTS = frozenset(("html", "svg", "project", "rss", "feed", "PAMDataset", "x:xmpmeta"))

_YAML_BOXES = re.compile(r"\b(?:x_?min|xmax|x_max|bbox|bboxes|boxes|box|points|polygon)[\"']?\s*:")
_YAML_CLASSES = re.compile(r"\b(?:label|labels|class|category|annotations|objects)[\"']?\s*:")
_BETWEEN_SCALARS = re.compile(r"""[\s"',\[\]{}]+""")

_EMPTY, _POINTER = "an empty file", "a Git LFS pointer"
_LFS = b"git-lfs"


def json_document(path: str, text: str, names: ImageNames, *, is_whole: bool = False) -> Unread | None:
    """What a JSON file is, by its keys, else by its naming images of the upload; None when it holds no labels.

    is_whole: the text is all of the file, not its beginning.
    """
    if path.lower().endswith(_LINES) and _has(text, "file_name"):
        return Unread(path, "Hugging Face metadata")
    kind = next((kind.name for kind in _JSON_KINDS if kind.fits(text)), None)
    if kind is not None:
        return Unread(path, kind)
    is_cut_off = is_whole and path.lower().endswith(".json") and not text.rstrip().endswith(("}", "]"))
    if is_cut_off and says_labels(path):
        return Unread(path, "JSON that is cut off", "it ends in the middle; export the labels again, or leave it out")
    if any(map(names.has_file, _STRING.findall(text))):
        is_certain = says_labels(path) or not _LABEL_KEYS.isdisjoint(_KEY.findall(text))
        return Unread(path, _LABELLED_IMAGES) if is_certain else Unread(path, _LABELLED_IMAGES, MAYBE, False)
    return Unread(path, _NAMED_LABELS, MAYBE, False) if says_labels(path) else None


def misnamed(path: str, text: str, names: ImageNames) -> Unread | None:
    """What a document is that its suffix does not tell: JSON or XML of labels in `annotations.txt`; None else."""
    if text.startswith("<"):
        is_voc = root_name(text.encode()) == "annotation"
        return Unread(path, "VOC under another suffix", "rename it to .xml to have it read") if is_voc else None
    if any(kind.fits(text) for kind in _COCO_KINDS):
        return Unread(path, "COCO under another suffix", "rename it to .json to have it read")
    unread = json_document(path, text, names)
    return None if unread is None or unread.kind == _NAMED_LABELS else unread


def xml_document(path: str, head: bytes, names: ImageNames) -> Unread | None:
    """What an XML file is, by its root, else by its name; None when it holds no labels."""
    root = root_name(head) or ""
    if root == "dataset" and "<images" in decode_head(head):
        return Unread(path, "dlib imglab XML")
    if root in _XML_ROOTS:
        return Unread(path, _XML_ROOTS[root])
    if root.lower() == "annotation":
        return Unread(path, "XML of annotations that is not VOC")
    has_image = names.has_stem(stem(path)) and is_telling(stem(path))
    if root in _OTHER_ROOTS or path.lower().endswith(".aux.xml") or not (says_labels(path) or has_image):
        return None
    kind = f"XML with the root {root[:40]}" if root else "XML without an element"
    return Unread(path, kind) if says_labels(path) and names.has_stem(stem(path)) else Unread(path, kind, MAYBE, False)


def yaml_document(path: str, text: str, names: ImageNames) -> Unread | None:
    """A YAML file that lists images with boxes or classes; None for any other."""
    images = [scalar for scalar in _BETWEEN_SCALARS.split(text) if is_image_name(scalar)]
    has_boxes = _YAML_BOXES.search(text) is not None
    if not images or not (has_boxes or _YAML_CLASSES.search(text)):
        return None
    kind = "YAML of boxes" if has_boxes else "YAML of classes"
    is_certain = has_boxes and any(map(names.has_file, images))
    return Unread(path, kind) if is_certain else Unread(path, kind, MAYBE, False)


def without_content(path: str, head: bytes, *, is_only: bool) -> Unread | None:
    """A file for labels that holds none: empty, or the pointer of Git LFS to it; None for any other.

    is_only: the upload has no other document.
    """
    is_empty = not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
    if not is_empty and not (_LFS in head[:100] and head.startswith(b"version ")):
        return None
    kind = _EMPTY if is_empty else _POINTER
    if says_labels(path):
        why = "export the labels again" if is_empty else "fetch the file it stands for (git lfs pull)"
        return Unread(path, kind, f"{why}, or leave it out")
    is_maybe = is_only or not is_empty or split_name(stem(path)) is not None
    return Unread(path, kind, "it may have been one of labels", False) if is_maybe else None


def _has(text: str, key: str) -> bool:
    return f'"{key}"' in text

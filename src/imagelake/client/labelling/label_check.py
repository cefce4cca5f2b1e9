"""Would the build take an annotation that a labelling tool sends? Judged as the row rules do, before it is kept."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from imagelake.client.data.sample import Annotation
from imagelake.geometry.run_lengths import read_runs, write_runs

KINDS = ("box", "polygon", "rle", "class")

FAR = 10
"""As in the row rules: by how many image sides a coordinate may lie outside the image."""

MOST_TEXT = 255

Entry = dict[str, Any]
"""An annotation as a save holds it: kind, category, bbox, polygons, rle, is_crowd, attributes, source_id."""

Size = tuple[int, int]

_FIELDS = frozenset(("kind", "category", "bbox", "polygons", "rle", "is_crowd", "attributes", "source_id"))
_COMPUTED = frozenset(("area", "class_index", "keypoints"))
"""What an Annotation has beside: accepted when it comes back, and never taken over."""

_COUNTS = re.compile(r"(?:[P-o]{0,6}[0-O])+", re.ASCII)
_DEEPEST, _WIDEST = 32, 1 << 63


class Refusal(ValueError):
    """Why an annotation is none."""


def as_entry(annotation: Annotation) -> Entry:
    """An annotation in the form of a save; what it has not is left out."""
    entry: Entry = {"kind": annotation.kind, "category": annotation.category, "bbox": annotation.bbox}
    entry["polygons"] = annotation.polygons
    if annotation.rle is not None:
        height, width, counts = annotation.rle
        entry["rle"] = {"size": [height, width], "counts": counts}
    entry |= {"is_crowd": annotation.is_crowd or None, "attributes": dict(annotation.attributes) or None}
    entry["source_id"] = annotation.source_id
    return {name: _listed(value) for name, value in entry.items() if value is not None}


def checked(annotation: Annotation | Mapping[str, Any], size: Size, kinds: Sequence[str]) -> Entry:
    """The annotation as a save holds it; Refusal when the build would not take it. `size` is width and height."""
    fields = as_entry(annotation) if isinstance(annotation, Annotation) else annotation
    if not isinstance(fields, Mapping):
        raise Refusal(f"{_shown(fields)} is no annotation: give kind, category and bbox")
    unknown = sorted(str(name) for name in fields if name not in _FIELDS | _COMPUTED)
    if unknown:
        raise Refusal(f"{unknown[0]!r} is unknown; known are {', '.join(sorted(_FIELDS))}")
    kind = fields.get("kind", "box")
    if kind not in kinds:
        raise Refusal(f"kind {_shown(kind)} is not among those saved: {', '.join(kinds)}")
    entry: Entry = {"kind": kind, "category": text(fields.get("category"), "category")}
    entry |= _shape(str(kind), fields, size)
    if fields.get("is_crowd") not in (None, False, True):
        raise Refusal(f"is_crowd {_shown(fields['is_crowd'])}; true or false is needed")
    if fields.get("is_crowd"):
        entry["is_crowd"] = True
    if fields.get("attributes"):
        entry["attributes"] = _attributes(fields["attributes"])
    if fields.get("source_id") is not None:
        entry["source_id"] = text(fields["source_id"], "source_id")
    return entry


def text(value: Any, name: str) -> str:
    """A text that says something, without space around it; Refusal for anything else, and for one that is too long."""
    if not isinstance(value, str) or not value.strip() or len(value.strip()) > MOST_TEXT:
        raise Refusal(f"{name} {_shown(value)}; a text of 1 to {MOST_TEXT} characters is needed")
    return _unicode(value.strip(), name)


def _shape(kind: str, fields: Mapping[str, Any], size: Size) -> Entry:
    if fields.get("keypoints") is not None:
        raise Refusal("keypoints cannot be saved yet")
    for name, owner in (("polygons", "polygon"), ("rle", "rle")):
        if fields.get(name) is not None and kind != owner:
            raise Refusal(f"{name} belong to the kind {owner}, not to {kind}")
    shape: Entry = {}
    box = fields.get("bbox")
    if kind == "polygon":
        shape["polygons"] = _polygons(fields.get("polygons"), size)
        box = _bounds(shape["polygons"]) if box is None else box
    if kind == "rle":
        shape["rle"] = _mask(fields.get("rle"), size)
    if box is None and kind != "class":
        raise Refusal("no bbox; give [x, y, width, height] in pixels")
    return shape if box is None else {"bbox": _box(box, size), **shape}


def _box(value: Any, size: Size) -> list[float]:
    if not _is_list(value) or len(value) != 4:
        raise Refusal(f"bbox {_shown(value)}; give four numbers x, y, width, height")
    box = x, y, w, h = _numbers(value, "bbox")
    width, height = size
    shown, of = f"box x={x:g} y={y:g} w={w:g} h={h:g}", f"the image of {width} x {height}"
    if w <= 0 or h <= 0:
        raise Refusal(f"{shown}: width and height must be positive")
    if any(abs(v) > FAR * max(size) for v in (x, y, x + w, y + h)):
        raise Refusal(f"{shown} lies more than {FAR} image sides outside {of}")
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise Refusal(f"{shown} lies outside {of}")
    return box


def _polygons(value: Any, size: Size) -> list[list[float]]:
    if not _is_list(value) or not value:
        raise Refusal(f"polygons {_shown(value)}; give a list of parts x1, y1, x2, y2, …")
    parts = []
    for part in value:
        if not _is_list(part) or len(part) < 6 or len(part) % 2:
            raise Refusal(f"polygon part {_shown(part)}; at least three points x1, y1, x2, y2, … are needed")
        parts.append(_numbers(part, "polygon"))
    if any(abs(v) > FAR * max(size) for part in parts for v in part):
        raise Refusal(f"a polygon coordinate lies more than {FAR} image sides outside the image")
    return parts


def _bounds(parts: Sequence[Sequence[float]]) -> list[float]:
    points = [v for part in parts for v in part]
    left, top = min(points[::2]), min(points[1::2])
    return [left, top, max(points[::2]) - left, max(points[1::2]) - top]


def _mask(value: Any, size: Size) -> Entry:
    if _is_list(value) and len(value) == 3:
        value = {"size": list(value[:2]), "counts": value[2]}
    if not isinstance(value, Mapping) or set(value) != {"size", "counts"}:
        raise Refusal(f"rle {_shown(value)}; size [height, width] and counts are needed")
    width, height = size
    if not _is_list(value["size"]) or list(value["size"]) != [height, width]:
        raise Refusal(f"a mask of size {_shown(value['size'])} on an image of height {height} and width {width}")
    counts = value["counts"]
    if _is_list(counts) and all(type(run) is int and 0 <= run <= width * height for run in counts):
        counts = write_runs(counts)
    if not isinstance(counts, str) or not _COUNTS.fullmatch(counts):
        raise Refusal("the mask's counts are no run lengths")
    runs = read_runs(counts)
    if min(runs) < 0 or sum(runs) != width * height:
        raise Refusal(f"the mask's runs do not cover the {width * height} pixels of the image")
    return {"size": [height, width], "counts": counts}


def _numbers(values: Sequence[Any], name: str) -> list[float]:
    numbers = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise Refusal(f"{name} holds {_shown(value)}, which is no number")
        try:
            numbers.append(float(value))
        except OverflowError:
            numbers.append(math.inf)
        if not math.isfinite(numbers[-1]):
            raise Refusal(f"{name} holds {_shown(value)}; all numbers must be finite")
    return numbers


def _attributes(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise Refusal(f"attributes {_shown(value)}; a JSON object is needed")
    return _json(value, 0)


def _json(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise Refusal(f"attributes are nested more than {_DEEPEST} deep")
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise Refusal("attributes have a name that is no text")
        return {_unicode(name, "attributes"): _json(inner, depth + 1) for name, inner in value.items()}
    if _is_list(value):
        return [_json(inner, depth + 1) for inner in value]
    if isinstance(value, str):
        return _unicode(value, "attributes")
    if value is None or isinstance(value, bool) or (type(value) is int and abs(value) < _WIDEST):
        return value
    if type(value) is float and math.isfinite(value):
        return value
    raise Refusal(f"attributes hold {_shown(value)}, which JSON cannot hold")


def _unicode(value: str, name: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refusal(f"{name} {_shown(value)} is not Unicode") from None
    return value


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _listed(value: Any) -> Any:
    return [_listed(inner) for inner in value] if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    try:
        shown = repr(value)
    except (ValueError, RecursionError):
        return "a number of too many digits"
    return shown if len(shown) <= 120 else f"{shown[:117]}…"

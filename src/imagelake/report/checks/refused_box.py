"""Where a refused annotation was meant to be, as far as its rejection tells."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

from imagelake.geometry.boxes import Box
from imagelake.geometry.orientation import Orientation

_NUMBER = r"([-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)"
_MESSAGE = re.compile(rf"\bbox x={_NUMBER} y={_NUMBER} w={_NUMBER} h={_NUMBER}")
_CORNERS = [re.compile(rf"<{name}>\s*{_NUMBER}\s*</{name}>") for name in ("xmin", "ymin", "xmax", "ymax")]
_MOST_TEXT = 100_000


def refused_box(message: str, raw: str | None, turn: Orientation) -> Box | None:
    """x, y, w, h in pixels of the shown image; None when nothing finite can be read.

    A message that names a box has it in raw pixels. Else it is read from the payload: `bbox` of COCO, corners of Pascal
    VOC, shares of YOLO, which are of the upright image.
    """
    named = _MESSAGE.search(message[:_MOST_TEXT])
    if named:
        return _finite(turn.box(_four([float(g) for g in named.groups()])))
    text = (raw or "")[:_MOST_TEXT].strip()
    if text.startswith("{"):
        box = _coco(text)
        return None if box is None else _finite(turn.box(box))
    if text.startswith("<"):
        box = _voc(text)
        return None if box is None else _finite(turn.box(box))
    return _finite(_yolo(text.split(), turn.size))


def _coco(text: str) -> Box | None:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None  # cut off, nested too deep, or never JSON
    values = entry.get("bbox") if isinstance(entry, dict) else None
    if not isinstance(values, list) or len(values) != 4:
        return None
    numbers = [_number(v) for v in values]
    return None if None in numbers else _four([n for n in numbers if n is not None])


def _voc(text: str) -> Box | None:
    corners = [pattern.search(text) for pattern in _CORNERS]
    left, top, right, bottom = (float(c[1]) if c else math.nan for c in corners)
    return (left, top, right - left, bottom - top)


def _yolo(words: Sequence[str], size: tuple[int, int]) -> Box | None:
    """A row `class cx cy w h`, or `class x1 y1 x2 y2 …` of an outline."""
    numbers = [_number(w) for w in words[1:]]
    values = [n for n in numbers if n is not None]
    if len(values) < 4 or len(values) != len(numbers):
        return None
    width, height = size
    if len(values) < 6:
        x, y, w, h = values[:4]
        return ((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
    xs, ys = values[::2], values[1::2]
    return (min(xs) * width, min(ys) * height, (max(xs) - min(xs)) * width, (max(ys) - min(ys)) * height)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _four(values: Sequence[float]) -> Box:
    x, y, w, h = values
    return (x, y, w, h)


def _finite(box: Box | None) -> Box | None:
    return box if box is not None and all(math.isfinite(v) and abs(v) < 1e9 for v in box) else None

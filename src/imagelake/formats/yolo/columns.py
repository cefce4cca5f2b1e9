"""What a row of a YOLO label file is, told by its columns alone: a box, a polygon, or a kind that is not read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from imagelake.formats.small_documents import number
from imagelake.formats.text_documents import columns

BOX, POLYGON = "box", "polygon"

POSE = "YOLO pose"
PREDICTIONS = "YOLO predictions"
TRACKS = "YOLO tracks"
PIXELS = "YOLO in pixels"
DECIMAL_COMMAS = "YOLO with decimal commas"
WRONG_COLUMNS = "YOLO with other columns"
MALFORMED = "YOLO with malformed rows"
CLASS_WORDS = "YOLO with class names"
DOTA, KITTI = "DOTA", "KITTI"

BOX_WIDTH, MIN_POLYGON_WIDTH = 5, 7

REASONS = {
    POSE: "keypoints are not supported yet",
    PREDICTIONS: "rows with a confidence are predictions of a model, not labels",
    TRACKS: "rows with a track number are not supported yet",
    PIXELS: "the values are pixels; shares of the image from 0 to 1 are needed",
    DECIMAL_COMMAS: "the decimals are written with commas; write 0.5 with a point",
    WRONG_COLUMNS: f"a box has {BOX_WIDTH} columns, a polygon an odd number from {MIN_POLYGON_WIDTH}",
    MALFORMED: "no row is a class number and shares of the image from 0 to 1",
    CLASS_WORDS: "the class is a word; its number from 0 is needed",
    DOTA: "rows of four corners in pixels, a class name and a difficulty are not supported yet",
    KITTI: "rows that begin with a class name and go on with pixels are not supported yet",
}
"""Why rows of a kind are not read."""

_MAX_CLASS = 1_000_000
_NEAR = (-0.01, 1.01)
_LEAST_PIXEL, _MOST_PIXEL = 2.0, 1e6
"""A value in between is no share but a place in pixels; a box somewhat out of its image is refused for that."""

_PREDICTION_WIDTH, _TRACK_WIDTH = 6, 7
_DOTA_NUMBERS, _DOTA_WIDTHS = 8, (9, 10)
_KITTI_WIDTHS = (15, 16)
_VISIBILITIES = (0.0, 1.0, 2.0)
_HIDDEN, _KEYPOINT = 2.0, 3
_DECIMAL_COMMA_ROW = re.compile(r"\d+(?:[\s;]+-?\d+,\d+){4,}", re.ASCII)


def is_row(line: str) -> bool:
    """Whether at least half of a line's columns are numbers, as even in a defective row."""
    tokens = columns(line)
    return 2 * sum(number(token) is not None for token in tokens) >= len(tokens)


def class_number(token: str) -> int | None:
    """The class a column names, a whole number from 0 that may be written as `1.0e+00`; None for anything else."""
    value = number(token)
    is_class = value is not None and 0 <= value < _MAX_CLASS and value.is_integer()
    return int(value) if is_class and value is not None else None


def kind_of_width(width: int) -> str | None:
    """What a row of so many columns is: 9 are a polygon of four points, as in oriented boxes."""
    if width == BOX_WIDTH:
        return BOX
    return POLYGON if width >= MIN_POLYGON_WIDTH and width % 2 else None


def shares(tokens: Sequence[str]) -> list[float] | None:
    """The numbers after the class of a row that begins with a class number; None for any other row."""
    if not tokens or class_number(tokens[0]) is None:
        return None
    values = [value for token in tokens[1:] if (value := number(token)) is not None]
    return values if len(values) == len(tokens) - 1 else None


def sound_kind(line: str) -> str | None:
    """The kind of a line that is a class number and shares of the image; None for any other line."""
    tokens = columns(line)
    kind, values = kind_of_width(len(tokens)), shares(tokens)
    return kind if kind is not None and values is not None and are_near(values) else None


def unread_kind(line: str) -> str:
    """What a line that is no sound row looks like."""
    if _DECIMAL_COMMA_ROW.fullmatch(line):
        return DECIMAL_COMMAS
    tokens = columns(line)
    values = shares(tokens)
    if values is None:
        return _kind_with_words(tokens)
    if len(tokens) <= BOX_WIDTH - 1:
        return WRONG_COLUMNS
    if are_near(values[:4]):
        if has_visibilities(values) and (not len(tokens) % 2 or _HIDDEN in values[4 + 2 :: _KEYPOINT]):
            return POSE
        if len(tokens) == _PREDICTION_WIDTH and are_near(values):
            return PREDICTIONS
        if len(tokens) in (_PREDICTION_WIDTH, _TRACK_WIDTH) and is_track_number(tokens[-1]) and are_near(values[:-1]):
            return TRACKS
    if _LEAST_PIXEL < max(map(abs, values)) <= _MOST_PIXEL:
        return PIXELS
    return MALFORMED if kind_of_width(len(tokens)) else WRONG_COLUMNS


def has_visibilities(values: Sequence[float]) -> bool:
    """Whether a box is followed by points of x, y and 0, 1 or 2. values: a row without its class."""
    points = values[4:]
    return bool(points) and not len(points) % _KEYPOINT and all(v in _VISIBILITIES for v in points[2::_KEYPOINT])


def is_track_number(token: str) -> bool:
    """Whether a column is a whole number written without a point."""
    return token.isascii() and token.isdigit()


def decimals(tokens: Iterable[str]) -> int:
    """The number of decimals that shares are rounded to, as far as their digits tell.

    The share with the most digits tells, for zeros at the end may be left out: `0.5 0.312499` are rounded to six.
    Zeros after the point do not count: of `0.143813 0.0314583`, written with six digits each, the first has six.
    """
    return max(map(_digits, tokens), default=0)


def _kind_with_words(tokens: Sequence[str]) -> str:
    """The kind of a row with columns that are no numbers."""
    numbers = [number(token) is not None for token in tokens]
    if len(tokens) in _DOTA_WIDTHS and all(numbers[:_DOTA_NUMBERS]) and not numbers[_DOTA_NUMBERS]:
        return DOTA
    if not numbers[0] and all(numbers[1:]):
        return KITTI if len(tokens) in _KITTI_WIDTHS else CLASS_WORDS
    return MALFORMED


def _digits(token: str) -> int:
    """The decimals of a finite number, without zeros after the point: six for `0.312500` and `0.0312500`."""
    mantissa, _, exponent = token.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("+-").partition(".")
    return max(min(len(fraction) - int(exponent or 0), len((whole + fraction).lstrip("0"))), 0)


def are_near(values: Sequence[float]) -> bool:
    """Whether all values are shares of the image, or but slightly beyond."""
    return all(_NEAR[0] <= value <= _NEAR[1] for value in values)

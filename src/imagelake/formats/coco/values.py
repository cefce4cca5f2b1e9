"""Single values out of COCO documents: decoding one item, numbers, ids, file names, and what is left over."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

MAX_RAW = 4000
"""Characters of a payload that are kept for a rejection row."""

_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*", re.ASCII)
_INTEGER = re.compile(r"\s*[-+]?\d{1,18}\s*", re.ASCII)
_LONGEST_NUMBER = 64
WIDEST = 1 << 64
"""Whole numbers from here on are no ids."""
_PLAIN = (str, bool, type(None))


def decode(item: bytes) -> Any:
    """The item as plain data, NaN and Infinity as floats; ValueError when no reading of it makes sense."""
    try:
        return msgspec.json.decode(item)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _lenient(item)


def raw(item: bytes) -> str:
    """The beginning of an item as text, for a rejection row."""
    return item[: 4 * MAX_RAW].decode("utf-8", "replace")[:MAX_RAW]


def number(value: Any) -> float | None:
    """A JSON number as float (infinite beyond its range), None for anything else: true is no number."""
    if type(value) is float:
        return value
    if type(value) is not int:
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def number_in_text(value: Any) -> float | None:
    """The number a text spells; None for anything else."""
    if type(value) is str and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
        return float(value)
    return None


def reference(value: Any) -> tuple[str | None, bool]:
    """An id as text, and whether a whole number had to be made of a text or a float; None when it is none.

    Any other text is an id as it is: some exporters use names or UUIDs.
    """
    if type(value) is int and -WIDEST < value < WIDEST:
        return str(value), False
    number_id, coerced = _identifier(value)
    if number_id is None and type(value) is str and value.strip():
        return value.strip(), False
    return number_id, coerced


def own_id(item: bytes) -> str | None:
    """The id of an item of a list, None when it has no usable one."""
    try:
        value = decode(item)
    except ValueError:
        return None
    return reference(value.get("id"))[0] if isinstance(value, dict) else None


def _identifier(value: Any) -> tuple[str | None, bool]:
    if type(value) is float and value.is_integer() and abs(value) < WIDEST:
        return str(int(value)), True
    if type(value) is str and _INTEGER.fullmatch(value):
        return str(int(value)), True
    return None, False


def side(value: Any) -> int | None:
    """A declared width or height as a whole number of pixels; None when it is none."""
    if type(value) is int:
        return value
    spelled = number_in_text(value) if type(value) is str else number(value)
    if spelled is None or not math.isfinite(spelled) or not spelled.is_integer():
        return None
    return int(spelled)


def attributes(record: Mapping[str, Any], fields: Collection[str]) -> tuple[dict[str, Any], bool]:
    """The members that are no fields, and whether one held a number that JSON cannot (it becomes null)."""
    left = {key: value for key, value in record.items() if key not in fields}
    if not left:
        return left, False
    if all(type(value) in _PLAIN for value in left.values()):
        return left, False
    lost: list[Any] = []
    return {key: _finite(value, lost) for key, value in left.items()}, bool(lost)


def _finite(value: Any, lost: list[Any]) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner, lost) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner, lost) for inner in value]
    if (type(value) is float and not math.isfinite(value)) or (type(value) is int and abs(value) >= WIDEST):
        lost.append(value)
        return None
    return value


def _lenient(item: bytes) -> Any:
    """Read as Python does: NaN, Infinity, control characters in text; half surrogates become U+FFFD."""
    try:
        return _whole_text(json.loads(item.decode("utf-8"), strict=False))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _whole_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole_text(key): _whole_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole_text(inner) for inner in value]
    return value

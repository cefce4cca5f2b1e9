"""A JSON document cut into its top-level values, and those that are lists into items, without building any of it.

A broken item spoils nothing but itself, and what a strict parser refuses as a whole (NaN, Infinity, a missing
value) is found item by item.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np

from imagelake.formats.coco.scan import BLOCK, CLOSE, COLON, COMMA, Array, Marks, NotSplit, scan

_SPACE = b" \t\r\n"
_BLANKS = (b" ", b"\t", b"\r", b"\n")
_CLOSING = {ord("["): ord("]"), ord("{"): ord("}")}
_BLANK = re.compile(rb"[ \t\r\n]*")


@dataclass(frozen=True)
class Value:
    """A top-level value: its bytes are data[start:end], without white space around it.

    `commas` are the offsets of the commas between the items of a list, or the members of an object.
    """

    data: bytes
    start: int
    end: int
    commas: Array
    complete: bool = True

    @property
    def kind(self) -> str:
        """list, object or scalar."""
        return {ord("["): "list", ord("{"): "object"}.get(self.data[self.start], "scalar")

    def items(self) -> Iterator[bytes]:
        """The items of a list as bytes; of an incomplete list those that are whole."""
        begin = self.start + 1
        for comma in self.commas:
            stop = int(comma)
            yield self.data[begin:stop].strip(_SPACE)
            begin = stop + 1
        last = self.data[begin : self.end - 1].strip(_SPACE) if self.complete else b""
        if last:
            yield last


@dataclass(frozen=True)
class Outline:
    """The top-level members of a document that is an object."""

    members: dict[str, Value]


def split(data: bytes) -> Outline:
    """The outline of a whole document; NotSplit when it is no UTF-8, no JSON object, repeats a key or is too deep."""
    start = _object_start(data)
    _check_utf8(data)
    marks = scan(data)
    closed = marks.places[(marks.kinds == CLOSE) & (marks.depths == 1)]
    if not len(closed):
        raise NotSplit("document.invalid_json", f"the document ends at byte {len(data)}, unfinished", len(data))
    end = int(closed[0]) + 1
    if data[end - 1 : end] != b"}":
        raise NotSplit("document.invalid_json", f"the object ends in {_shown(data[end - 1 : end])}", end - 1)
    rest = _BLANK.match(data, end).end()  # type: ignore[union-attr]
    if rest < len(data):
        raise NotSplit(
            "document.invalid_json", f"text after the end of the object: {_shown(data[rest : rest + 40])}", rest
        )
    return Outline(_members(data, start, end - 1, marks, complete=True))


def split_head(data: bytes) -> Outline:
    """The outline of the beginning of a document; what is cut off is left out, a list keeps its whole items."""
    start = _object_start(data)
    return Outline(_members(data, start, len(data), scan(data), complete=False))


def listed(data: bytes) -> Value:
    """A list given without its brackets."""
    whole = b"[" + data + b"]"
    marks = scan(whole)
    return Value(whole, 0, len(whole), marks.places[(marks.kinds == COMMA) & (marks.depths == 1)])


def _object_start(data: bytes) -> int:
    """Where the object begins, after a byte order mark and white space."""
    begin = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    start = _BLANK.match(data, begin).end()  # type: ignore[union-attr]
    lead = data[start : start + 40]
    if lead[:1] == b"{":
        return start
    if lead[:1] in (b"[", b'"') or lead[:1].isdigit() or lead[:4] in (b"null", b"true", b"fals"):
        raise NotSplit("document.wrong_shape", f"the top level is not an object but {_shown(lead)}", start)
    raise NotSplit("document.invalid_json", f"no JSON: {_shown(lead) or 'the document is empty'}", start)


def _check_utf8(data: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for begin in range(0, len(data), BLOCK):
        try:
            decoder.decode(data[begin : begin + BLOCK], begin + BLOCK >= len(data))
        except UnicodeDecodeError as problem:
            place = begin + problem.start
            raise NotSplit("document.not_utf8", f"no UTF-8 near byte {place}: {problem.reason}", place) from None


def _members(data: bytes, start: int, end: int, marks: Marks, *, complete: bool) -> dict[str, Value]:
    """The members of the object whose brace opens at `start` and closes at `end`."""
    top = marks.depths == 1
    places, kinds = marks.places[top], marks.kinds[top]
    cuts = [start, *places[kinds == COMMA].tolist(), end]
    colons = places[kinds == COLON]
    inner = marks.places[(marks.depths == 2) & (marks.kinds == COMMA)]
    members: dict[str, Value] = {}
    for begin, stop in pairwise(cuts):
        whole = complete or stop != end
        between = colons[np.searchsorted(colons, begin) : np.searchsorted(colons, stop)]
        if not len(between):
            if whole and (data[begin + 1 : stop].strip(_SPACE) or len(cuts) > 2):
                raise NotSplit("document.invalid_json", f"no key and value after byte {begin}", begin)
            continue
        key = _key(data[begin + 1 : int(between[0])], begin)
        value = _value(data, int(between[0]) + 1, stop, inner, whole)
        if value is None:
            continue
        if key in members:
            raise NotSplit("document.wrong_shape", f"{key[:100]!r} is given twice at the top level", begin)
        members[key] = value
    return members


def _value(data: bytes, begin: int, stop: int, inner: Array, whole: bool) -> Value | None:
    """The value in data[begin:stop]; None when nothing of it is there yet."""
    start = _BLANK.match(data, begin, stop).end()  # type: ignore[union-attr]
    if start == stop:
        if whole:
            raise NotSplit("document.invalid_json", "a member of the top level has no value", begin)
        return None
    while whole and data[stop - 1 : stop] in _BLANKS:
        stop -= 1
    closing = _CLOSING.get(data[start])
    if whole and closing is not None and data[stop - 1] != closing:
        raise NotSplit("document.invalid_json", f"a value ends in {_shown(data[stop - 1 : stop])}", stop - 1)
    commas = inner[np.searchsorted(inner, start) : np.searchsorted(inner, stop)]
    return Value(data, start, stop, commas, whole)


def _key(text: bytes, position: int) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotSplit(
            "document.invalid_json", f"the top level needs a text as key, not {_shown(text)}", position
        ) from None


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", "replace")) if text else ""

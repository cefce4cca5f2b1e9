"""The brackets, commas and colons of a JSON text that lie outside its strings, found block by block.

Only the two outer levels are kept: about ten bytes an item of a list. What is inside an item is looked at for its depth
alone, so an item that is no JSON disturbs nothing as long as its brackets and quotes are paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_DEPTH = 128
"""Deeper nesting is refused: no annotation needs it, and parsers recurse."""

MAX_MARKS = 20_000_000
"""More marks are refused: a 2 GB document of the smallest useful annotations has about as many."""

BLOCK = 1 << 20
OTHER, QUOTE, ESCAPE, OPEN, CLOSE, COMMA, COLON = range(7)

Array = Any


def _table() -> Array:
    kinds = np.zeros(256, np.uint8)
    for characters, kind in (
        (b'"', QUOTE),
        (b"\\", ESCAPE),
        (b"[{", OPEN),
        (b"]}", CLOSE),
        (b",", COMMA),
        (b":", COLON),
    ):
        kinds[list(characters)] = kind
    return kinds


_KINDS = _table()


class NotSplit(ValueError):
    """The text has no outline: `rule` says why (document.invalid_json, …), `position` is a byte offset."""

    def __init__(self, rule: str, message: str, position: int) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.position = position


@dataclass(frozen=True)
class Marks:
    """Offset, kind (OPEN, CLOSE, COMMA, COLON) and depth of each mark; a bracket counts to the level it makes."""

    places: Array
    kinds: Array
    depths: Array


def scan(data: bytes) -> Marks:
    """The marks of a document or of its beginning; NotSplit when it is too deep, or closes what is not open."""
    places, kinds, depths = [], [], []
    depth, in_string, odd, total = 0, False, False, 0
    for begin in range(0, len(data), BLOCK):
        block = np.frombuffer(data, np.uint8, min(BLOCK, len(data) - begin), begin)
        block_kinds = _KINDS[block]
        at = np.flatnonzero(block_kinds)
        kind = block_kinds[at]
        quote, odd = _real_quotes(at, kind, odd, len(block))
        inside = (np.cumsum(quote) + in_string) & 1
        in_string = bool(inside[-1]) if len(inside) else in_string
        outer = (inside == 0) & (kind >= OPEN)
        at, kind = at[outer], kind[outer]
        steps = (kind == OPEN).astype(np.int32) - (kind == CLOSE)
        after = np.cumsum(steps) + depth
        _check_depth(after, at, begin)
        depth = int(after[-1]) if len(after) else depth
        level = after + (kind == CLOSE)
        is_outer = level <= 2
        places.append(at[is_outer] + begin)
        kinds.append(kind[is_outer])
        depths.append(level[is_outer].astype(np.uint8))
        total += len(places[-1])
        if total > MAX_MARKS:
            raise NotSplit("document.too_many_items", f"more than {MAX_MARKS} items; split the document", begin)
    return Marks(np.concatenate(places), np.concatenate(kinds), np.concatenate(depths))


def _real_quotes(at: Array, kind: Array, odd: bool, size: int) -> tuple[Array, bool]:
    """Which marks are quotes that no backslash escapes, and whether a backslash escapes the next block's first byte."""
    quote = kind == QUOTE
    slash = at[kind == ESCAPE]
    if not len(slash):
        if odd and len(at) and at[0] == 0:
            quote[0] = False
        return quote, False
    escaping = np.zeros(size + 1, bool)
    begins = np.concatenate(([True], np.diff(slash) != 1))
    first = slash[begins]
    lengths = np.diff(np.concatenate((np.flatnonzero(begins), [len(slash)])))
    parity = lengths + ((first == 0) & odd)
    escaping[(first + lengths)[parity & 1 == 1]] = True
    escaping[0] |= odd and first[0] != 0
    quote &= ~escaping[at]
    return quote, bool(escaping[size])


def _check_depth(after: Array, at: Array, begin: int) -> None:
    if not len(after):
        return
    if after.max() > MAX_DEPTH:
        place = begin + int(at[np.argmax(after > MAX_DEPTH)])
        raise NotSplit("document.too_deep", f"nested more than {MAX_DEPTH} levels deep", place)
    if after.min() < 0:
        place = begin + int(at[np.argmax(after < 0)])
        raise NotSplit("document.invalid_json", "a bracket closes that was never opened", place)

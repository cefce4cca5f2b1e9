"""A look at the beginning of every text file of an upload: what its rows are, and what all of them say together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imagelake.formats.base import Tree, read_or_none
from imagelake.formats.paths import SUFFIXES
from imagelake.formats.small_documents import HEAD, Unreadable
from imagelake.formats.text_documents import columns, decoded, lines
from imagelake.formats.yolo.columns import (
    BOX,
    BOX_WIDTH,
    MIN_POLYGON_WIDTH,
    POLYGON,
    POSE,
    TRACKS,
    has_visibilities,
    is_row,
    is_track_number,
    shares,
    sound_kind,
    unread_kind,
)

BUDGET = 64 << 20
"""Bytes of text files that are looked at; the rest is judged by name and neighbours."""

_LEAST_COST = 512
"""What opening a file counts for, however small it is."""

_SHARE = rb"(?:0?\.\d+|0|1|1\.0*|\d\.\d{1,18}e-\d\d)"
_BOXES = re.compile(rb"(?:\d{1,6}(?:[ \t]+" + _SHARE + rb"){4}[ \t]*\r?\n)*")
"""Files of boxes, which most are, told in one go; a share of `9.9e-01` is one, `0.0e+00` is left to the slow way."""

_POLYGON = re.compile(r"\d{1,6}(?:[ \t]+(?:0?\.\d+|0|1|1\.0*)){6,}", re.ASCII)
"""A polygon as most are written, told without taking it apart."""

_IMAGE_NAME = re.compile(rf"(?:{SUFFIXES})(?:$|[\s,;]\s*\S)", re.IGNORECASE)
_IMAGE_WITH_BOXES = re.compile(rf"(?:{SUFFIXES})(?:\s+\d+(?:,\d+){{4}})+$", re.IGNORECASE)

_OF_ALL_ROWS = ("visibilities", "pairs inside", "triples inside", "track number")
"""What must hold of all rows of a width for them to be no polygons."""

_NEAR = 0.005
_MIN_ROWS, _MIN_VISIBILITIES, _MIN_POSE_WIDTH = 3, 4, 11


@dataclass(frozen=True)
class TextOutline:
    """The beginning of a text file.

    `first` line, lines in all and those that are boxes, sound rows, rows at all, or names of images; `widths` of the
    rows that are no boxes; `unread` how many rows look like each kind that is not read; `problem` when it is no text.
    """

    first: str = ""
    total: int = 0
    boxes: int = 0
    sound: int = 0
    rows: int = 0
    names: int = 0
    names_with_boxes: int = 0
    widths: frozenset[int] = frozenset()
    unread: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing, so that it says that nothing is on its image."""
        return not self.total and not self.problem

    @property
    def is_sound(self) -> bool:
        """Whether at least half of its lines are rows without a defect."""
        return self.sound > 0 and 2 * self.sound >= self.total

    @property
    def is_image_list(self) -> bool:
        """Whether at least half of its lines name an image file."""
        return self.names > 0 and 2 * self.names >= self.total

    @property
    def unread_kind(self) -> str | None:
        """The kind most of its rows look like, when none is sound."""
        return max(self.unread, key=self.unread.__getitem__) if self.unread and not self.sound else None


class Evidence:
    """What rows of one width say together: each by itself could be a polygon."""

    def __init__(self) -> None:
        self._rows: Counter[int] = Counter()
        self._signs: Counter[tuple[int, str]] = Counter()
        self._plain: set[int] = set()

    def add(self, tokens: Sequence[str]) -> None:
        """Count a row of seven columns or more that are numbers."""
        width = len(tokens)
        self._rows[width] += 1
        if width not in self._plain:
            self._add_signs(width, tokens, shares(tokens) or ())
            if not any(self._signs[width, sign] == self._rows[width] for sign in _OF_ALL_ROWS):
                self._plain.add(width)

    def _add_signs(self, width: int, tokens: Sequence[str], values: Sequence[float]) -> None:
        has_points = has_visibilities(values)
        signs = {
            "visibilities": has_points,
            "hidden": has_points and 2.0 in values[6::3],
            "pairs inside": _are_inside(values, 2),
            "triples inside": _are_inside(values, 3),
            "size outside": not _is_inside(values, (values[2], values[3])),
            "track number": is_track_number(tokens[-1]),
            "second track": is_track_number(tokens[-1]) and values[-1] > 1,
        }
        self._signs.update((width, sign) for sign, holds in signs.items() if holds)

    def kinds(self) -> dict[int, str]:
        """The widths whose rows are of a kind that is not read, with that kind."""
        kinds = {width: self._kind(width) for width in self._rows}
        return {width: kind for width, kind in kinds.items() if kind is not None}

    def _kind(self, width: int) -> str | None:
        rows, sign = self._rows[width], {name: n for (w, name), n in self._signs.items() if w == width}
        if width == MIN_POLYGON_WIDTH and sign.get("track number") == rows and "second track" in sign:
            return TRACKS
        visibilities = rows * ((width - BOX_WIDTH) // 3)
        if sign.get("visibilities") == rows and ("hidden" in sign or visibilities >= _MIN_VISIBILITIES):
            return POSE
        if width < _MIN_POSE_WIDTH or rows < _MIN_ROWS or len(self._rows) > 1:
            return None
        are_inside = rows in (sign.get("pairs inside"), sign.get("triples inside"))
        return POSE if are_inside and 2 * sign.get("size outside", 0) >= rows else None


def looks(tree: Tree, paths: Sequence[str], evidence: Evidence) -> dict[str, TextOutline | None]:
    """A look at each of the files until the budget is used up; None for a damaged file. Rows go into the evidence."""
    by_path: dict[str, TextOutline | None] = {}
    cost = 0
    for path in paths:
        if cost >= BUDGET:
            break
        size = tree.size(path)
        head = read_or_none(tree, path, HEAD) if size else b""
        by_path[path] = look(path, head, size, evidence) if head is not None else None
        cost += max(min(size, HEAD), _LEAST_COST)
    return by_path


def look(path: str, head: bytes, size: int, evidence: Evidence) -> TextOutline:
    """What the beginning of a text file holds; a row that is cut off counts as none. size: of the whole file."""
    whole = head if head.endswith(b"\n") or not head else head + b"\n"
    if size <= len(head) and _BOXES.fullmatch(whole):
        count = whole.count(b"\n")
        first = whole.partition(b"\n")[0].decode("ascii")
        return TextOutline(first, count, count, count, count)
    try:
        text = decoded(path, head, is_cut=size > len(head))
    except Unreadable as problem:
        return TextOutline(problem=problem.message)
    if size > len(head):
        text = text.rpartition("\n")[0] or text
    return _look([line for _, line in lines(text)], evidence)


def _look(rows: list[str], evidence: Evidence) -> TextOutline:
    counts: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    widths: set[int] = set()
    for line in rows:
        tokens = line.split() if _POLYGON.fullmatch(line) else columns(line)
        kind = POLYGON if len(tokens) % 2 and _POLYGON.fullmatch(line) else sound_kind(line)
        if kind is None:
            _count_other(line, counts, unread)
        counts["boxes"] += kind == BOX
        counts["sound"] += kind is not None
        if len(tokens) >= MIN_POLYGON_WIDTH and (kind is not None or unread_kind(line) in (POSE, TRACKS)):
            widths.add(len(tokens))
            evidence.add(tokens)
    counts["rows"] += counts["sound"]
    return TextOutline(
        first=rows[0] if rows else "",
        total=len(rows),
        boxes=counts["boxes"],
        sound=counts["sound"],
        rows=counts["rows"],
        names=counts["names"],
        names_with_boxes=counts["with boxes"],
        widths=frozenset(widths),
        unread=unread,
    )


def _count_other(line: str, counts: Counter[str], unread: Counter[str]) -> None:
    """Count a line that is no sound row."""
    if is_row(line):
        counts["rows"] += 1
        unread[unread_kind(line)] += 1
    counts["names"] += bool(_IMAGE_NAME.search(line))
    counts["with boxes"] += bool(_IMAGE_WITH_BOXES.search(line))


def _are_inside(values: Sequence[float], step: int) -> bool:
    """Whether all points after the box lie in it, but those at 0, 0, which stand for none."""
    points = values[4:]
    if len(points) % step:
        return False
    pairs = [pair for pair in zip(points[::step], points[1::step], strict=True) if any(pair)]
    return bool(pairs) and all(_is_inside(values, pair) for pair in pairs)


def _is_inside(values: Sequence[float], point: tuple[float, float]) -> bool:
    cx, cy, w, h = values[:4]
    return abs(point[0] - cx) <= w / 2 + _NEAR and abs(point[1] - cy) <= h / 2 + _NEAR

"""Which columns of a table fit a width, and how wide each is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from imagelake.cli.plain import safe

GAP = 2
"""Spaces between two columns."""

PROSE = frozenset(("after", "before", "does", "meaning", "message", "note", "problem", "title"))
"""Columns of sentences: they alone may be broken over lines."""

_PROSE_WIDTH = 20
"""What a column of sentences needs at least."""


@dataclass(frozen=True)
class Fit:
    """The columns that are shown with their widths, and those that are left out."""

    widths: Mapping[str, int]
    left_out: tuple[str, ...]


def fit(
    cells: Mapping[str, Sequence[str]], drop: Sequence[str], width: int, prose: Collection[str] = PROSE
) -> Fit | None:
    """The layout of a table in `width` characters: columns of `drop` are left out, the first one first, until the rest
    fits. None when the columns that must stay do not fit.
    """
    from rich.cells import cell_len

    full = {c: max(map(cell_len, (safe(c), *values))) for c, values in cells.items()}
    least = {c: min(w, max(_PROSE_WIDTH, cell_len(safe(c)))) if c in prose else w for c, w in full.items()}
    left_out: list[str] = []
    candidates = [column for column in drop if column in cells]
    while _total(least) > width:
        if not candidates:
            return None
        left_out.append(candidates.pop(0))
        del least[left_out[-1]]
    return Fit(_widened(least, full, width - _total(least)), tuple(c for c in cells if c in left_out))


def _widened(least: Mapping[str, int], full: Mapping[str, int], spare: int) -> dict[str, int]:
    """The widths with what is spare given to the columns that could use it, in equal shares."""
    widths = dict(least)
    narrow = sorted((c for c in least if least[c] < full[c]), key=lambda c: full[c] - least[c])
    for place, column in enumerate(narrow):
        more = min(full[column] - least[column], spare // (len(narrow) - place))
        widths[column] += more
        spare -= more
    return widths


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)

"""How messages name many things: the first of them, and how many more there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NAMED = 10
"""So many are named."""


def listed(names: Sequence[str], total: int | None = None) -> str:
    """`a, b and 3 more`; total: how many there are, where only some of their names are at hand."""
    count = len(names) if total is None else total
    shown = ", ".join(names[:NAMED])
    more = count - min(len(names), NAMED)
    return f"{shown} and {more:,} more" if more else shown


def tallied(counts: Mapping[str, int]) -> str:
    """`3 .heic, 1 .txt`: what there is most of first, equals by name."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return listed([f"{count:,} {name}" for name, count in ordered])

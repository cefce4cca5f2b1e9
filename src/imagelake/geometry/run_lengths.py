"""Masks as COCO's compressed run lengths, in plain Python.

The pixels of a mask are counted column by column, in runs that alternate between background and object and start with
background. Each run is written in groups of five bits, the lowest first, as characters from `0` on; bit 0x20 says that
more follow, bit 0x10 of the last one is the sign; from the fourth run on the difference to the run two before is
written (COCO API, mask format).
"""

from __future__ import annotations

from collections.abc import Sequence


def read_runs(counts: str) -> list[int]:
    """The run lengths of a compressed text that was checked before."""
    runs: list[int] = []
    value = shift = 0
    for char in counts.encode():
        group = char - 48
        value |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def write_runs(runs: Sequence[int]) -> str:
    """Run lengths as compressed text."""
    text = bytearray()
    for place, run in enumerate(runs):
        value, more = run - (runs[place - 2] if place > 2 else 0), True
        while more:
            group = value & 0x1F
            value >>= 5
            more = value != (-1 if group & 0x10 else 0)
            text.append(48 + (group | (0x20 if more else 0)))
    return text.decode()

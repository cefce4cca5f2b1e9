"""Every export format by its name."""

from __future__ import annotations

from imagelake.client.refs import nearest
from imagelake.errors import UsageError
from imagelake.exports.base import Format
from imagelake.exports.images import Files

FORMATS: tuple[Format, ...] = (Files(),)

NAMES = tuple(each.name for each in FORMATS)


def format_of(name: str) -> Format:
    """The format of that name; UsageError with the nearest ones when there is none."""
    for each in FORMATS:
        if each.name == name:
            return each
    raise UsageError(f"--format {name}: no such format", hint=nearest(name, NAMES, "formats"))

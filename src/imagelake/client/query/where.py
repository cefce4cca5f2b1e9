"""A condition over the view images, as `--where` and `where=` take it: the query it stands in, and what its errors say.

Nobody wrote that query but this program: an error speaks of the condition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from imagelake.client.query.view_columns import COLUMNS
from imagelake.client.refs import nearest
from imagelake.errors import UsageError

_LINES_BEFORE = 1
"""Lines of the query before the condition."""
_PLACE = re.compile(r" \(line (\d+), column (\d+)\)$")
_KIND = re.compile(r"^[A-Z][A-Za-z ]* Error: ")
_NO_COLUMN = re.compile(r'^Referenced column "([^"]*)" (?:was )?not found')


def keys_where(condition: str) -> str:
    """The query for the keys of the images that meet a condition; UsageError for an empty one."""
    if not condition.strip() or any("\ud800" <= char <= "\udfff" for char in condition):
        raise UsageError("an empty condition", hint="where is a condition over the view images, such as width > 640")
    return f"SELECT image_key FROM images WHERE (\n{condition}\n)"


@contextmanager
def errors_of_condition(condition: str) -> Iterator[None]:
    """For running the query of a condition: UsageError then says what is wrong with the condition, and the columns."""
    try:
        yield
    except UsageError as error:
        columns = error.hint or f"images: {', '.join(COLUMNS['images'])}"
        message, near = _explained(condition, error.message)
        hint = f"columns of {columns}"
        raise UsageError(f"condition {condition!r}: {message}", hint=f"{near} {hint}" if near else hint) from None


def _explained(condition: str, message: str) -> tuple[str, str | None]:
    """What is wrong, and the nearest column where one is not there."""
    message = _KIND.sub("", message)
    column = _NO_COLUMN.match(message)
    if column:
        near = nearest(column[1], COLUMNS["images"], "columns")
        return f"there is no column {column[1]!r}", near if near.startswith("did you mean") else None
    place = _PLACE.search(message)
    if place is None:
        return message.replace("WHERE clause", "a condition").rstrip("!"), None
    line, position = int(place[1]) - _LINES_BEFORE, place[2]
    if line > condition.count("\n") + 1:
        return "it ends before it is complete", None
    in_line = f"line {line}, " if "\n" in condition else ""
    return f"{message[: place.start()]} ({in_line}column {position})", None

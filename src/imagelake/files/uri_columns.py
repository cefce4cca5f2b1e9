"""Which columns of a frame hold URIs of files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from imagelake.errors import UsageError
from imagelake.files.row_frames import Frame

_URI = re.compile(r"(?:s3a?://|file:)[^\x00-\x1f\x7f]+")
_PATH = re.compile(r"[^\x00-\x1f\x7f]*[^/\x00-\x1f\x7f]\.[A-Za-z][A-Za-z0-9]{0,7}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def uri_columns(frame: Frame, columns: Iterable[str] | None) -> tuple[str, ...]:
    """The columns named, else those whose values all look like URIs of files; missing values do not count.

    UsageError for a name that is no column, and when no column holds URIs.
    """
    if columns is None:
        return _detect(frame)
    names = (columns,) if isinstance(columns, str) else tuple(dict.fromkeys(columns))
    unknown = [name for name in names if name not in frame.names]
    if unknown:
        raise UsageError(f"there is no column {unknown[0]!r}", hint=_listed(frame))
    if not names:
        raise UsageError("columns names no column of URIs", hint=_listed(frame))
    return names


def looks_like_uri(value: object) -> bool:
    """Whether a value is a Path, a file:// or s3:// URI, or a path whose last part has a suffix such as .png."""
    if isinstance(value, Path):
        return True
    if not isinstance(value, str):
        return False
    if _URI.fullmatch(value):
        return True
    return _SCHEME.match(value) is None and _PATH.fullmatch(value) is not None


def _detect(frame: Frame) -> tuple[str, ...]:
    names = tuple(name for name in frame.names if _holds_uris(frame.values(name)))
    if not names:
        raise UsageError(
            "no column holds URIs: file://, s3:// or paths with a suffix in every row",
            hint=f"name them with columns=[…]; {_listed(frame)}",
        )
    return names


def _holds_uris(values: list[object]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(looks_like_uri(value) for value in present)


def _listed(frame: Frame) -> str:
    return f"the columns are {', '.join(map(repr, frame.names)) or 'none'}"

"""One finding of `imagelake doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was looked at, whether it is as it should be, what was found, and the next step if not."""

    name: str
    ok: bool
    message: str
    hint: str | None = None

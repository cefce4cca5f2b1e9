"""How a reader refuses a part of a record, and shows the value it refuses."""

from __future__ import annotations

import json
from typing import Any

_SHOWN = 120


class Refused(ValueError):
    """A part of a record cannot be read: rule id, and a message with the value and what is allowed."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


def shown(value: Any) -> str:
    """A JSON value as it may appear in a message: cut to 120 characters."""
    try:
        text = json.dumps(value[:_SHOWN] if isinstance(value, (list, str)) else value, ensure_ascii=False)
    except ValueError:
        return "a number of too many digits"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"

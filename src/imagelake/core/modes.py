"""What an upload may do to the draft."""

from __future__ import annotations

from typing import Literal, get_args

Mode = Literal["append", "update", "replace"]
"""append: new images, labels of images it names; update: and new bytes under known keys; replace: it is the whole."""

MODES: tuple[str, ...] = get_args(Mode)

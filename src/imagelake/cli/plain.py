"""Text from uploads made harmless for a terminal; the report's page has the same need and shares the function."""

from __future__ import annotations

from imagelake.core.plain_text import safe

__all__ = ["safe"]

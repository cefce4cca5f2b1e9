"""imagelake's own log, on stderr; configured by the command line only."""

from __future__ import annotations

import logging
import sys

from imagelake.cli.flags import Flags
from imagelake.cli.text import safe
from imagelake.errors import ConfigError

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class _OneLine(logging.Formatter):
    """Records as one line each: messages may hold names from uploads."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower()} {record.name}"
        text = f"{head}: {safe(record.getMessage())}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(level: str, flags: Flags) -> None:
    """Send the log of `imagelake` to stderr: at `level`, INFO with --verbose, ERROR with --quiet."""
    chosen = "INFO" if flags.verbose else "ERROR" if flags.quiet else level.upper()
    if chosen not in _LEVELS:
        raise ConfigError(f"log.level = {level!r}", hint=f"use one of {', '.join(_LEVELS)}")
    root = logging.getLogger("imagelake")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    root.handlers[:] = [handler]
    root.setLevel(chosen)

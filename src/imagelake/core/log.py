"""imagelake's own log, on stderr. Only programs configure it (the command line, a job); modules just log."""

from __future__ import annotations

import logging
import sys

from imagelake.config.settings import LogSettings
from imagelake.errors import ConfigError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class _OneLine(logging.Formatter):
    """A record as one line, but for a traceback: messages may hold names from uploads, with line ends or escapes."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower()} {record.name}"
        said = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in record.getMessage())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{head}: {said}{trace}"


def configure(settings: LogSettings) -> None:
    """Send the log of `imagelake` to stderr from that level on; ConfigError when there is no such level.

    Loggers of other packages and the root logger are left alone. Calling it again replaces what it did before.
    """
    level = settings.level.upper()
    if level not in LEVELS:
        raise ConfigError(f"log.level = {settings.level!r}", hint=f"use one of {', '.join(LEVELS)}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    logger = logging.getLogger("imagelake")
    logger.handlers[:] = [handler]
    logger.setLevel(level)

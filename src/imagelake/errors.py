"""Every error imagelake raises on purpose.

    ImagelakeError                 exit code
    ├── UsageError                 2   a wrong argument, reference or name
    ├── ConfigError                2   a setting, or something missing on this machine
    ├── LakeFormatError            2   the lake was written by a newer imagelake
    ├── UploadRejected             3   the upload as a whole cannot be taken
    ├── GateFailed                 4   the quality gate refuses to publish
    ├── Locked                     5   another writer holds the dataset, or took it over
    ├── Conflict                   5   another writer was faster; trying again is right
    ├── NotFound                   6   no such lake, dataset, version, image or file
    └── IntegrityError             1   what was read contradicts what was written

A message names the object, the value, and what is allowed; `hint` says what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class ImagelakeError(Exception):
    """The root: a message for people, a `kind` for programs, an exit code for shells."""

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders; the default drops the keyword argument."""
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(cls: type[ImagelakeError], message: str, hint: str | None) -> ImagelakeError:
    return cls(message, hint=hint)


class UsageError(ImagelakeError):
    """The command, an argument or a reference is not of a form imagelake knows."""

    kind = "usage"
    exit_code = 2


class ConfigError(ImagelakeError):
    """A setting is wrong, or this machine lacks something imagelake needs."""

    kind = "config"
    exit_code = 2


class LakeFormatError(ImagelakeError):
    """The lake or a table was written by a newer imagelake than this one."""

    kind = "lake_format"
    exit_code = 2


class UploadRejected(ImagelakeError):
    """The upload cannot be taken as a whole; nothing of it was applied."""

    kind = "upload_rejected"
    exit_code = 3

    def __init__(self, message: str, *, hint: str | None = None, rule: str = "upload.invalid") -> None:
        super().__init__(message, hint=hint)
        self.rule = rule

    def __reduce__(self) -> tuple[object, ...]:
        """Keeps the rule id as well."""
        return (_rebuild_rejected, (self.message, self.hint, self.rule))


def _rebuild_rejected(message: str, hint: str | None, rule: str) -> UploadRejected:
    return UploadRejected(message, hint=hint, rule=rule)


class GateFailed(ImagelakeError):
    """The quality gate refuses to publish this draft."""

    kind = "gate_failed"
    exit_code = 4


class Locked(ImagelakeError):
    """Another writer holds this dataset, or has taken it over from us."""

    kind = "locked"
    exit_code = 5


class Conflict(ImagelakeError):
    """Another writer was faster; the same command again will see its work."""

    kind = "conflict"
    exit_code = 5


class NotFound(ImagelakeError):
    """No such lake, dataset, version, image or file."""

    kind = "not_found"
    exit_code = 6


class IntegrityError(ImagelakeError):
    """What was read contradicts what was written: never shown as data."""

    kind = "integrity"

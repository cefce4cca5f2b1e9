"""The entry of the command line: `imagelake …`, `python -m imagelake …`, and the jobs.

main → the verb of that name in cli/verbs/write.py (engine) or cli/verbs/look.py (no JVM) → a stage's run, or the client
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from imagelake.cli import shell
from imagelake.cli.flags import hoist, json_layout
from imagelake.errors import ConfigError, ImagelakeError

_UNEXPECTED = 1
_INTERRUPTED = 130
_ENGINE = frozenset(("pyspark", "py4j", "delta", "pandas", "great_expectations", "msgspec", "defusedxml"))
"""What the extra `spark` installs, by the names that are imported."""


@dataclass(frozen=True)
class _Failure:
    """What is said about a run that ended with an error."""

    exit_code: int
    kind: str
    message: str
    hint: str | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; errors are printed, not raised."""
    line = list(sys.argv[1:] if argv is None else argv)
    layout = json_layout(line)
    with shell.document_only(layout is not None) as out:
        failure = _attempt(line, out)
        if isinstance(failure, int):
            return failure
        if layout is not None:
            error = {"kind": failure.kind, "message": failure.message, "hint": failure.hint}
            shell.write_json(out, {"error": error}, layout)
        else:
            shell.complain(failure.message, failure.hint)
        return failure.exit_code


def _attempt(line: list[str], out: TextIO) -> int | _Failure:
    """The exit code of the verb, or why it could not end."""
    try:
        flags, rest = hoist(line)
        code = _dispatch([*flags, *rest], out)
        if code != _INTERRUPTED:
            return code
    except ImagelakeError as error:
        _trace(line)
        return _Failure(error.exit_code, error.kind, error.message, error.hint)
    except KeyboardInterrupt:
        pass
    except ModuleNotFoundError as error:
        _trace(line)
        return _missing(error)
    except Exception as error:  # noqa: BLE001  the border of the program: nothing leaves it as a traceback
        _trace(line)
        if not _interrupted(error):
            hint = None if _verbose(line) else "the same command with --verbose shows where"
            return _Failure(_UNEXPECTED, "unexpected", f"{type(error).__name__}: {_first_line(error)}", hint)
    return _Failure(_INTERRUPTED, "interrupted", "interrupted", "the same command again finishes the work")


def _missing(error: ModuleNotFoundError) -> _Failure:
    """A package that is not installed: of the extra `spark`, or another one."""
    package = str(error.name).partition(".")[0]
    if package in _ENGINE:
        message = f"this needs Spark, and {package} is not installed"
        return _Failure(ConfigError.exit_code, ConfigError.kind, message, 'pip install "imagelake[spark]"')
    return _Failure(_UNEXPECTED, "unexpected", f"{type(error).__name__}: {_first_line(error)}")


def _dispatch(line: list[str], out: TextIO) -> int | _Failure:
    import typer

    from imagelake.cli.app import app, use_plain_help

    if {"--help", "-h"} & set(line):
        use_plain_help()
    try:
        result = typer.main.get_command(app).main(args=line, prog_name="imagelake", standalone_mode=False, obj=out)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "imagelake"
        return _Failure(2, "usage", error.format_message(), f"{path} --help")
    except typer.Abort:
        return _INTERRUPTED
    return int(result or 0)


def _interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C is behind an error: Spark cancels its jobs then, and the cancelled job is what is raised."""
    behind = error.__cause__ or error.__context__
    return behind is not None and (isinstance(behind, KeyboardInterrupt) or _interrupted(behind))


def _first_line(error: BaseException) -> str:
    """The message's first line: a JVM puts its whole stack into the text of an error."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")


def _verbose(line: Sequence[str]) -> bool:
    return "--verbose" in line or "-v" in line


def _trace(line: Sequence[str]) -> None:
    if _verbose(line):
        traceback.print_exc()

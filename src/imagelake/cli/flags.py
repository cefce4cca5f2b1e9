"""The flags every verb understands, wherever on the line they stand."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from imagelake.errors import UsageError
from imagelake.storage.uri import is_s3

if TYPE_CHECKING:
    from imagelake.config.settings import S3Settings, Settings

DEFAULT_LAKE = "./lake"
"""The default of conf/base.yaml: verbs that only read need no other setting, so they do not load them."""

JsonLayout = Literal["auto", "pretty", "lines"]
"""How a JSON document is laid out: indented, on one line, or (auto) indented on a terminal only."""

_JSON = "--json"
_SWITCHES = frozenset(("--quiet", "-q", "--verbose", "-v"))
_WITH_VALUE = frozenset(("--lake", "--conf", "--set"))


@dataclass(frozen=True)
class Flags:
    """Which lake, which settings, and how much to say. `lake` is None when neither flag nor environment names it."""

    lake: str | None = None
    conf: Path | None = None
    overrides: tuple[str, ...] = ()
    json_layout: JsonLayout | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def as_json(self) -> bool:
        """Whether the result is one JSON document."""
        return self.json_layout is not None


def hoist(line: Sequence[str]) -> tuple[list[str], list[str]]:
    """The line as (flags of every verb, the rest), so that one parser finds them before the verb.

    After `--` nothing is a flag. `--json` gets the value `auto`: a parser would take the next word for one.
    UsageError when a flag lacks its value.
    """
    flags: list[str] = []
    rest: list[str] = []
    words = iter(line)
    for word in words:
        name, equals, _ = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif word == _JSON:
            flags.append(f"{_JSON}=auto")
        elif word in _SWITCHES or name == _JSON or (equals and name in _WITH_VALUE):
            flags.append(word)
        elif word in _WITH_VALUE:
            flags += [word, _value(word, next(words, None))]
        else:
            rest.append(word)
    return flags, rest


def json_layout(line: Sequence[str]) -> JsonLayout | None:
    """The layout that a line asks for, the last one where there are several; None without --json.

    A wrong value counts as auto: the error about it is a document too.
    """
    layout: JsonLayout | None = None
    for value in _json_values(line):
        layout = next((choice for choice in get_args(JsonLayout) if choice == value), "auto")
    return layout


def _json_values(line: Sequence[str]) -> Iterator[str]:
    for word in line:
        if word == "--":
            return
        name, equals, value = word.partition("=")
        if name == _JSON:
            yield value if equals else "auto"


def parse_json_layout(value: str | None) -> JsonLayout | None:
    """The layout of that name; UsageError for any other."""
    if value is None:
        return None
    for layout in get_args(JsonLayout):
        if value == layout:
            return layout  # type: ignore[no-any-return]
    raise UsageError(f"--json={value}: no such layout", hint="--json, --json=pretty or --json=lines")


def _value(flag: str, word: str | None) -> str:
    if word is None or word.startswith("--"):
        raise UsageError(f"{flag} needs a value", hint="imagelake --help lists the flags of every verb")
    return word


def load_settings(flags: Flags) -> Settings:
    """The machine settings under these flags: base, --conf, --set, and --lake over all of them."""
    from imagelake.config import settings

    named = [f"lake={json.dumps(flags.lake)}"] if flags.lake else []
    return settings.load(flags.conf, [*flags.overrides, *named])


def lake_of(flags: Flags) -> tuple[str, S3Settings | None]:
    """The lake's root, and how to reach it; settings are read only when they could say something about it."""
    uri = flags.lake or DEFAULT_LAKE
    if not (flags.conf or flags.overrides or is_s3(uri)):
        return uri, None
    settings = load_settings(flags)
    return settings.lake, settings.s3


def command(flags: Flags, words: str) -> str:
    """A command to suggest: `imagelake` and the words, on the lake and settings this run was given."""
    text = f"imagelake {words}"
    if flags.lake and os.environ.get("IMAGELAKE_LAKE") != flags.lake:
        text += f" --lake {shlex.quote(flags.lake)}"
    if flags.conf and os.environ.get("IMAGELAKE_CONF") != str(flags.conf):
        text += f" --conf {shlex.quote(str(flags.conf))}"
    return text

"""The project's pages taken apart: their commands, code and links."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import typer

from imagelake.cli.app import app
from imagelake.cli.flags import hoist

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
JOBS = {verb: verb for verb in ("ingest", "build", "publish", "gate", "maintain")} | {"pipeline": "run"}


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of that language."""
    return [body for kind, body in _FENCE.findall(page.read_text("utf-8")) if kind == language]


def commands(page: Path) -> list[list[str]]:
    """The command lines of the sh blocks, as words."""
    found: list[list[str]] = []
    for block in blocks(page, "sh"):
        words = ""
        for line in block.splitlines():
            words += line + "\n"
            try:
                found.append(shlex.split(words, comments=True))
            except ValueError:
                continue
            words = ""
    return [words for words in found if words]


def links(page: Path) -> list[tuple[str, str]]:
    """Relative links as (file, anchor without #)."""
    pairs = _LINK.findall(page.read_text("utf-8"))
    return [(target, anchor[1:]) for target, anchor in pairs if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def verbs() -> dict[str, Any]:
    """The command line's verbs by name, as the parser knows them."""
    return dict(typer.main.get_command(app).commands)


def check(words: list[str]) -> None:
    """Raises unless the program's parser accepts `imagelake` with these words."""
    flags, rest = hoist(words)
    root = typer.main.get_command(app)
    verb = rest[0]
    with root.make_context("imagelake", [*flags, verb], resilient_parsing=False) as parent:
        verbs()[verb].make_context(verb, rest[1:], parent=parent)

"""Which images a verb means: `--where SQL`, `--images FILE`, or what both name."""

from __future__ import annotations

import sys
from pathlib import Path

from imagelake.cli.flags import Flags, lake_of
from imagelake.errors import NotFound, UsageError


def image_keys(flags: Flags, dataset: str, where: str | None, images: Path | None) -> list[str]:
    """The selected keys of the draft, sorted. UsageError when nothing selects, NotFound when nothing is selected."""
    if where is None and images is None:
        raise UsageError(f"which images of {dataset}?", hint='--where "width < 64" or --images FILE')
    named = None if images is None else listed(images)
    chosen = named if where is None else _matching(flags, dataset, where)
    if where is not None and named is not None:
        chosen = [key for key in chosen or () if key in set(named)]
    if not chosen:
        raise NotFound(f"no image of {dataset} is selected", hint=f"imagelake show {dataset}@draft")
    return sorted(set(chosen))


def listed(path: Path) -> list[str]:
    """The keys in a file, one a line; `-` is stdin."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text with one image key a line") from None
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()]


def _matching(flags: Flags, dataset: str, where: str) -> list[str]:
    from imagelake.client import lake

    query = f"select image_key from images where (\n{where}\n)"  # noqa: S608  a condition is what the user types
    with lake.open(*lake_of(flags)) as opened:
        return [row[0] for row in opened.sql(query, at=f"{dataset}@draft").as_json()["rows"]]

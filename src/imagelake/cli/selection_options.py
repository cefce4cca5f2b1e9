"""Which images a verb means: `--where SQL`, `--images FILE`, or what both name."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from imagelake.cli.flags import Flags, lake_of
from imagelake.errors import NotFound, UsageError


def image_keys(flags: Flags, dataset: str, where: str | None, images: Path | None) -> list[str]:
    """The selected keys, sorted: what the condition matches in the draft, what the list names, or what both do.

    Listed keys that the draft does not have are among them, so that the verb can refuse them. UsageError when nothing
    selects.
    """
    if images is None and where is None:
        raise UsageError(f"which images of {dataset}?", hint='--where "width < 64" or --images FILE')
    if images is None:
        return sorted(_draft_keys(flags, dataset, where))
    keys = set(listed(images))
    if where is not None:
        keys -= _draft_keys(flags, dataset, None) - _draft_keys(flags, dataset, where)
    return sorted(keys)


def listed(path: Path) -> list[str]:
    """The keys in a file, one a line; `-` is stdin."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text with one image key a line") from None
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()]


def _draft_keys(flags: Flags, dataset: str, where: str | None) -> set[str]:
    """The keys of the draft, of those images that meet the condition if one is given."""
    from imagelake.client import lake
    from imagelake.client.query.where import errors_of_condition

    query = "select image_key from images"
    checked: AbstractContextManager[None] = nullcontext()
    if where is not None:
        query += f" where (\n{where}\n)"  # a condition is what the user types
        checked = errors_of_condition(where)
    with lake.open(*lake_of(flags)) as opened, checked:
        return {row[0] for row in opened.sql(query, at=f"{dataset}@draft").as_json()["rows"]}

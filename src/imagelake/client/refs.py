"""References: `D`, `D@v3`, `D@v3.2`, `D@alias`, `D@latest`, `D@draft`, and `#d1:…` to insist on a digest."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from imagelake.core.upload_paths import check_dataset_id
from imagelake.errors import UsageError

_VERSION = re.compile(r"^v([0-9]{1,18})(?:\.([0-9]{1,9}))?\Z")
_ALIAS = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")
_DIGEST = re.compile(r"^d1:[0-9a-f]{64}\Z")

FORMS = "a reference is D, D@v3, D@v3.2, D@alias, D@latest or D@draft"


@dataclass(frozen=True)
class Ref:
    """A reference as it was written: what it names is decided by the lake (`catalog.resolve`).

    `selector` is the part after @; `number` and `recipe` are set when it is a version, `digest` when one was given.
    """

    dataset: str
    selector: str = "latest"
    number: int | None = None
    recipe: int = 1
    digest: str | None = None

    @property
    def is_draft(self) -> bool:
        """Whether it names what is accepted but not yet published."""
        return self.selector == "draft"

    def __str__(self) -> str:
        """The reference as text."""
        digest = f"#{self.digest}" if self.digest else ""
        return f"{self.dataset}@{self.selector}{digest}"


def parse_ref(text: str) -> Ref:
    """The reference in a text; UsageError says what is wrong with it."""
    body, mark, digest = text.partition("#")
    if mark and not _DIGEST.match(digest):
        raise UsageError(f"{digest!r} in {text!r} is not a digest", hint="a digest is d1: and 64 hex digits")
    dataset, at, selector = body.partition("@")
    check_dataset_id(dataset)
    if not at:
        return Ref(dataset, digest=digest or None)
    version = _VERSION.match(selector)
    if version:
        number, recipe = int(version.group(1)), int(version.group(2) or 1)
        if number < 1 or recipe < 1:
            raise UsageError(f"{text!r}: versions and split recipes count from 1", hint=FORMS)
        return Ref(dataset, selector, number, recipe, digest or None)
    if not _ALIAS.match(selector):
        raise UsageError(f"{selector!r} in {text!r} names no version", hint=FORMS)
    return Ref(dataset, selector, digest=digest or None)


def version_name(dataset: str, number: int, recipe: int = 1) -> str:
    """The short name of a version: pets@v3 for recipe 1, else pets@v3.2."""
    return f"{dataset}@v{number}" if recipe == 1 else f"{dataset}@v{number}.{recipe}"


def nearest(word: str, candidates: Iterable[str], what: str) -> str:
    """A hint: the names most like a word, else what there is."""
    names = sorted(candidates)
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.55)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return f"there are no {what} yet"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{what}: {', '.join(names[:10])}{more}"

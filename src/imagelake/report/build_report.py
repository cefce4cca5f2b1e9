"""`imagelake report REF`, `imagelake report REF..REF`: from a reference to a page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.refs import parse_ref
from imagelake.core.advance import Advance, ProgressCallback, ignore_progress
from imagelake.errors import UsageError
from imagelake.report.checks.verdict import Verdict, verdict
from imagelake.report.difference_report import Comparison
from imagelake.report.page import Page, Section, render, sections
from imagelake.report.pictures.album import Album
from imagelake.report.scope import Scope, check_rows
from imagelake.report.sketch import Material, samples
from imagelake.report.statistics.drift import totals_of
from imagelake.report.version_changes import Changes, changes
from imagelake.storage.base import Storage

MOST_BYTES = 20_000_000
"""Of a page; pictures that would make it larger are left out."""

_RANGE = re.compile(r"^([^@]+?(?:@.+?)?)\.\.([^@]+@.+)$", re.S)
_COMPARED = Section("changes", "What changed", "changes.html.j2", lambda scope: None)


@dataclass(frozen=True)
class Report:
    """A page about `ref`, complete in itself: `html` is all of it.

    `verdict` is its first sentence, `counts` the numbers below, `filename` what to call it; `details` is what its
    sections say in numbers, by section.
    """

    ref: str
    verdict: str
    counts: Mapping[str, int]
    filename: str
    html: str = field(repr=False)
    details: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def bytes(self) -> bytes:
        """The file's content."""
        return self.html.encode("utf-8")

    def write(self, path: str | Path | None = None) -> Path:
        """Write the file, at once and whole; into the working folder under `filename` by default.

        The absolute path. UsageError when it cannot be written.
        """
        target = Path(path if path is not None else self.filename).absolute()
        temporary = target.with_name(f".{target.name[:100]}.{os.getpid()}.tmp")
        try:
            temporary.write_bytes(self.bytes)
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            hint = "--out names a file in a folder that exists and may be written"
            raise UsageError(f"cannot write {target}: {error.strerror}", hint=hint) from None
        return target

    def as_json(self) -> dict[str, Any]:
        """{"report": what it is about, "verdict", "counts"}, and `details`."""
        return {"report": self.ref, "verdict": self.verdict, "counts": dict(self.counts), **self.details}


def report(tables: Tables, storage: Storage, text: str, progress: ProgressCallback = ignore_progress) -> Report:
    """The page of a reference, or of the difference between two of them written `D@v2..D@v3`."""
    ends = _RANGE.match(text)
    if ends:
        return _difference(tables, storage, (_target(tables, ends[1]), _target(tables, ends[2])), progress)
    progress(Advance("measuring"))
    scope = Scope(tables, storage, _target(tables, text))
    album = Album(tables, storage, scope.target.dataset)
    page = Page(scope.target.name, verdict(scope), sections(scope, album))
    return _report(page, album, (scope.target.name, scope.target.name.replace("@", "-")), progress)


def _difference(tables: Tables, storage: Storage, ends: tuple[Target, Target], progress: ProgressCallback) -> Report:
    progress(Advance("comparing"))
    before, after = ends
    check_rows(tables, after)
    album = Album(tables, storage, after.dataset)
    sketch = changes(Comparison(tables, before, after), totals_of(tables, after))
    found = sketch.draw(Material(samples(tables, after, sketch.keys, sketch.first), album))
    title = f"{before.name}..{after.name}"
    last = after.name.replace("@", "-").removeprefix(f"{before.dataset}-")
    page = Page(title, _summary(found), [(_COMPARED, found)])
    return _report(page, album, (title, f"{before.name.replace('@', '-')}-{last}"), progress)


def _summary(found: Changes) -> Verdict:
    numbers = tuple(
        (f"{plural} {word}", getattr(count, word) or 0)
        for count in found.counts
        for plural in (_NOUNS[count.entity][1],)
        for word in ("added", "removed", "changed", "renamed")
        if getattr(count, word) is not None
    )
    parts = [
        f"{number:,} {_NOUNS[count.entity][number != 1]} {word}"
        for count in found.counts
        for word in ("added", "removed", "changed", "renamed")
        if (number := getattr(count, word))
    ]
    moved = sum(move.images for move in found.moves)
    parts += [f"{moved:,} {_NOUNS['image'][moved != 1]} in another split"] if moved else []
    told = ", ".join(parts) or "nothing changed"
    return Verdict(f"From {found.before} to {found.after}: {told}.", "open", (), (*numbers, ("split moves", moved)))


_NOUNS = {"image": ("image", "images"), "annotation": ("annotation", "annotations"), "category": ("class", "classes")}


def _report(page: Page, album: Album, names: tuple[str, str], progress: ProgressCallback) -> Report:
    ref, stem = names
    album.develop(progress)
    progress(Advance("writing the page"))
    counts = {name.replace(" ", "_"): number for name, number in page.verdict.numbers}
    html = render(page, album)
    excess = len(html.encode("utf-8")) - MOST_BYTES
    if excess > 0:
        album.leave_out(excess)
        html = render(page, album)
    counts |= {"pictures": album.shown}
    return Report(ref, page.verdict.sentence, counts, f"{stem}.html", html, _details(dict(_by_id(page))))


def _by_id(page: Page) -> Iterator[tuple[str, Any]]:
    return ((section.id, content) for section, content in page.sections)


def _details(contents: Mapping[str, Any]) -> dict[str, Any]:
    """What sections say in numbers, as plain data; null, or nothing, of a section that is left out."""
    gate, changed, spread = (contents.get(section) for section in ("gate", "changes", "distributions"))
    return {
        "gate": gate and gate.as_json(),
        "checks": [vars(rule) for rule in contents.get("checks") or ()],
        "duplicates": {kind.name: kind.as_json() for kind in contents.get("duplicates") or ()},
        "distributions": spread and spread.as_json(),
        "drift": changed and changed.drift.as_json(),
    }


def _target(tables: Tables, text: str) -> Target:
    target = catalog.resolve(tables, parse_ref(text))
    catalog.require_readable(target)
    return target

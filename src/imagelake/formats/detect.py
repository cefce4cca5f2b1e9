"""Which format an upload has: every reader judges it, and exactly one must win."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagelake.errors import UploadRejected
from imagelake.formats import FORMAT_NAMES, READERS, reader
from imagelake.formats.base import Detection, Tree

_WITHOUT_DOCUMENTS = frozenset(("imagefolder", "images"))
"""Formats any tree of images has; they count only where no annotation document is."""


@dataclass(frozen=True)
class Choice:
    """The reader that was chosen, what it found, and what every reader made of the upload."""

    reader: str
    detection: Detection
    all: tuple[Detection, ...]

    def as_json(self) -> dict[str, Any]:
        """The record of the decision, as plain data for bronze."""
        found = self.detection
        return {
            "chosen": {
                "format": found.format,
                "score": found.score,
                "documents": list(found.documents),
                "meta": list(found.meta),
                "masks": list(found.masks),
                "lacks": list(found.lacks),
            },
            "all": [{"format": d.format, "score": d.score, "lacks": list(d.lacks)} for d in self.all],
        }


def choose(tree: Tree, requested: str | None) -> Choice:
    """The format of the tree; `requested` decides where it is given.

    Formats that names alone speak for give way to one whose documents could be read.

    UploadRejected when no reader or several can use the tree, or the requested one cannot; UsageError for an
    unknown name.
    """
    if requested is not None:
        return _requested(tree, requested)
    found = tuple(r.detect(tree) for r in READERS)
    usable = [d for d in found if d.score > 0]
    documents = [d for d in usable if d.format not in _WITHOUT_DOCUMENTS]
    certain = [d for d in documents if not d.by_name]
    if len(certain) > 1:
        raise UploadRejected(
            f"several formats fit this upload: {_listed(found)}",
            hint=f"name the one that counts with --format {' or --format '.join(d.format for d in certain)}",
            rule="format.ambiguous",
        )
    if not usable:
        raise UploadRejected(
            f"no known format fits this upload: {_listed(found)}",
            hint=f"name the format with --format NAME, one of {', '.join(FORMAT_NAMES)}",
            rule="format.unknown",
        )
    if documents:
        winner = max(certain or documents, key=lambda d: d.score)
        return Choice(winner.format, winner, found)
    unread = [text for d in found for text in (*d.unsupported, *(f"{u.path}: {u.kind}, {u.why}" for u in d.unread))]
    if unread:  # taking the images alone would lose the labels without a word
        raise UploadRejected(
            f"annotations no reader takes: {'; '.join(unread)}",
            hint="leave them out, or take the images alone with --format images",
            rule="format.unsupported",
        )
    winner = max(usable, key=lambda d: d.score)
    return Choice(winner.format, winner, found)


def _requested(tree: Tree, name: str) -> Choice:
    wanted = reader(name).detect(tree)
    if wanted.score <= 0:
        raise UploadRejected(
            f"nothing in this upload can be read as {name}: {'; '.join(wanted.lacks) or 'nothing fits'}",
            hint="leave --format out to see what each format lacks",
            rule="format.unusable",
        )
    if name == "labels":  # ours, and many small ones: nobody else's reader need look into each
        return Choice(name, wanted, (wanted,))
    others = (r.detect(tree) for r in READERS if r.name != name)
    return Choice(name, wanted, (wanted, *others))


def _listed(found: tuple[Detection, ...]) -> str:
    return "; ".join(f"{d.format} (score {d.score}{_lacks(d)})" for d in found)


def _lacks(found: Detection) -> str:
    return f", {'; '.join(found.lacks)}" if found.lacks else ""

"""Which format an upload has: every reader judges it, and exactly one must win."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from imagelake.core.wording import listed, tallied
from imagelake.errors import UploadRejected
from imagelake.formats import FORMAT_NAMES, READERS, reader
from imagelake.formats.base import BY_NAME_SCORE, Detection, Tree, Unread
from imagelake.formats.unread.kinds import other_labels
from imagelake.formats.unread.masks import MASKS
from imagelake.formats.unread.tables import CSV_OF_CLASSES

_WITHOUT_DOCUMENTS = frozenset(("imagefolder", "images"))
"""Formats any tree of images has; they count only where no annotation document is."""


@dataclass(frozen=True)
class Choice:
    """The reader that was chosen, what it found, what every reader made of the upload, and labels that none reads."""

    reader: str
    detection: Detection
    all: tuple[Detection, ...]
    unread: tuple[Unread, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The record of the decision, as plain data for bronze."""
        detection = self.detection
        return {
            "chosen": {
                "format": detection.format,
                "score": detection.score,
                "documents": list(detection.documents),
                "meta": list(detection.meta),
                "masks": list(detection.masks),
                "lacks": list(detection.lacks),
            },
            "all": [{"format": d.format, "score": d.score, "lacks": list(d.lacks)} for d in self.all],
            "seen": list(detection.seen),
            "unread": {"files": len(self.unread), "kinds": list(described(self.unread))},
        }


def choose(tree: Tree, requested: str | None) -> Choice:
    """The format of the tree; `requested` decides where it is given.

    Formats that names alone speak for give way to one whose documents could be read. Files that may be labels, or not,
    decide nothing.

    UploadRejected when no reader or several can use the tree, when its only labels are of kinds that none reads, or
    when the requested reader cannot use it; UsageError for an unknown name.
    """
    if requested is not None:
        return _requested(tree, requested)
    judged = tuple(r.detect(tree) for r in READERS)
    usable = [d for d in judged if d.score > 0]
    documents = [d for d in usable if d.format not in _WITHOUT_DOCUMENTS]
    certain = [d for d in documents if not d.by_name]
    if len(certain) > 1:
        raise UploadRejected(
            f"several formats fit this upload: {_judgements(judged)}",
            hint=f"name the one that counts with --format {' or --format '.join(d.format for d in certain)}",
            rule="format.ambiguous",
        )
    if documents:
        winner = max(certain or documents, key=lambda d: d.score)
        return Choice(winner.format, winner, judged, _unread(tree, judged, winner))
    unread = _unread(tree, judged, None)  # lists of splits are looked at too: they may hold classes
    _check_certain(unread, usable)
    if not usable:
        raise UploadRejected(
            f"no known format fits this upload of {_contents(tree)}: {_judgements(judged)}",
            hint=f"name the format with --format NAME, one of {', '.join(FORMAT_NAMES)}",
            rule="format.unknown",
        )
    winner = max(usable, key=lambda d: d.score)
    return Choice(winner.format, winner, judged, unread)


def described(unread: Iterable[Unread]) -> tuple[str, ...]:
    """A sentence for each kind of labels that are not read: how many files, which, and why the first of them is not."""
    kinds: dict[str, list[Unread]] = {}
    for file in unread:
        kinds.setdefault(file.kind, []).append(file)
    return tuple(
        f"{len(files):,} {'file looks' if len(files) == 1 else 'files look'} like {kind} "
        f"({listed([file.path for file in files])}): {files[0].why}"
        for kind, files in kinds.items()
    )


def _check_certain(unread: Iterable[Unread], usable: Iterable[Detection]) -> None:
    """UploadRejected when there are certain labels: taking the images alone would lose them without a word.

    Beside class folders a table of classes is a remark: mostly it says the same again.
    """
    has_classes = any(detection.format == "imagefolder" for detection in usable)
    files = sorted(unread, key=lambda file: not file.is_certain)
    certain = [file for file in files if file.is_certain and not (has_classes and file.kind == CSV_OF_CLASSES)]
    if not certain:
        return
    hint = "convert them to COCO, YOLO or VOC; or take the images without them: --format images"
    if any(file.kind == MASKS for file in certain):
        hint += ", which takes masks as pictures too"
    elif has_classes:
        hint += ", or --format imagefolder for the classes their folders name"
    raise UploadRejected(
        f"labels that no reader takes: {'; '.join(described(files))}", hint=hint, rule="format.unsupported"
    )


def _requested(tree: Tree, name: str) -> Choice:
    detection = reader(name).detect(tree)
    if name == "images" and detection.score <= 0 and reader("imagefolder").detect(tree).score > 0:
        detection = Detection(name, BY_NAME_SCORE)  # asked for by name, it leaves the class folders alone
    if detection.score <= 0:
        raise UploadRejected(
            f"nothing in this upload can be read as {name}: {'; '.join(detection.lacks) or 'nothing fits'}",
            hint="leave --format out to see what each format lacks",
            rule="format.unusable",
        )
    if name == "labels":  # ours, and many small ones: nobody else's reader need look into each
        return Choice(name, detection, (detection,))
    others = tuple(r.detect(tree) for r in READERS if r.name != name)
    return Choice(name, detection, (detection, *others), _unread(tree, (detection, *others), detection))


def _unread(tree: Tree, judged: Iterable[Detection], winner: Detection | None) -> tuple[Unread, ...]:
    """The labels that are not read, those that readers name and those of other tools, in order of path."""
    used = frozenset(() if winner is None else (*winner.documents, *winner.meta, *winner.masks))
    own = {unread.path: unread for d in judged for unread in d.unread if unread.path not in used}
    others = other_labels(tree, used | own.keys())
    return tuple(sorted((*own.values(), *others), key=lambda unread: unread.path))


def _contents(tree: Tree) -> str:
    """How many files of which suffix a tree has: `3 .heic, 1 .txt`."""
    suffixes = Counter(PurePosixPath(path).suffix.lower() or "(none)" for path in tree.paths)
    return tallied(suffixes)


def _judgements(judged: tuple[Detection, ...]) -> str:
    return "; ".join(f"{d.format} (score {d.score}{_lacks(d)})" for d in judged)


def _lacks(judgement: Detection) -> str:
    return f", {'; '.join(judgement.lacks)}" if judgement.lacks else ""

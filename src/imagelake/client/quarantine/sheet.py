"""What is wrong where, for people: `rejections.csv` and `README.txt` of an exported folder.

Text from uploads is inert in both: no cell is a formula to a spreadsheet, and no character moves the cursor or turns
the direction of reading.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagelake.client.inspect.upload_states import LABELS
from imagelake.client.quarantine.list_rejections import RuleCount

COLUMNS = ("file", "place", "entity", "image", "kind", "rule", "message", "meaning", "delivered_as", "delivered")
"""`file` and `place` are of the exported folder, `delivered_as` is the path and place in the upload."""

MAX_DELIVERED = 500
"""Characters of the payload in a cell: the whole of it stands in the file."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


@dataclass(frozen=True)
class Guide:
    """What the README of a folder says: which upload it is of, how to deliver it, counts by rule, and remarks."""

    dataset: str
    upload_id: str
    source: str | None
    command: str | None
    rules: Sequence[RuleCount]
    notes: Sequence[str]


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """The rows, with COLUMNS, as a CSV that spreadsheets open: UTF-8 with a byte order mark."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([cell(row.get(column)) for column in COLUMNS])


def cell(value: object) -> str:
    """A value as a cell: one line, hidden characters spelled out, and never a formula."""
    if value is None:
        return ""
    shown = inert(str(value))
    return f"'{shown}" if str(value).lstrip(" ").startswith(_FORMULA) else shown


def inert(value: str) -> str:
    """Text in which control, format and direction characters are spelled out."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _HIDDEN else c for c in value)


def readme(guide: Guide) -> str:
    """The README of a folder of rejections."""
    source = f" ({inert(guide.source)})" if guide.source else ""
    lines = [
        f"What was refused of dataset {guide.dataset}, upload {guide.upload_id[:12]}{source}",
        "",
        *(f"{rule.count:>9,}  {inert(rule.rule)}: {rule.doc or 'a rule of another release'}" for rule in guide.rules),
        "",
        "rejections.csv names each of them: the file here, the place in it, what is wrong and what was delivered.",
        "",
    ]
    if guide.command:
        lines += [*_STEPS, f"    {guide.command}", ""]
    lines += [f"- {inert(note)}" for note in guide.notes]
    return "\n".join(lines).rstrip() + "\n"


def overview(dataset: str, rejections: Mapping[str, int]) -> str:
    """The README beside the folders of several uploads, which hold so many rejections each."""
    lines = [f"What was refused of dataset {dataset}: a folder an upload, each delivered by itself.", ""]
    lines += [f"{folder}: {count:,} rejections; its README.txt says what to do" for folder, count in rejections.items()]
    return "\n".join(lines) + "\n"


def advice(upload_format: str | None, rules: Sequence[RuleCount]) -> list[str]:
    """Remarks on how to mend what these rules refused."""
    present = {rule.rule for rule in rules}
    notes = []
    if upload_format == LABELS:
        notes.append("these labels were saved by a labelling tool: save them there once more")
    if "image.key_taken" in present:
        notes.append("pictures whose key is taken: rename them, or deliver with --mode update to replace those there")
    if present & {"image.file_missing", "annotation.image_unknown"}:
        notes.append("labels that wait for their picture enter with it by themselves; mend only wrong names")
    return notes


_STEPS = (
    "1. Mend the files here. Leave their names and folders as they are, and leave meta.imagelake where it is:",
    "   it says which rejections this folder answers.",
    "2. Delete what is not to come in: what you take out counts as answered too.",
    "3. Deliver the folder (add --lake as for other commands):",
    "",
)

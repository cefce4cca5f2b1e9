"""The page: which sections there are, in which order, and how they become one HTML file.

A new section is a module with a function Scope → Sketch, whose content its template shows, a template, and a line in
SECTIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from imagelake.core.plain_text import safe
from imagelake.report.checks.fired import fired
from imagelake.report.checks.flagged import flagged
from imagelake.report.checks.gate_section import gate
from imagelake.report.checks.refused_images import refused
from imagelake.report.checks.verdict import VerdictBox
from imagelake.report.contact import contact
from imagelake.report.pictures.album import Album
from imagelake.report.provenance import provenance
from imagelake.report.scope import ReportScope
from imagelake.report.sketch import Material, Sketch, finished, samples
from imagelake.report.statistics.distributions import distributions
from imagelake.report.statistics.duplicates import duplicates
from imagelake.report.version_changes import since_parent

TEMPLATES = Path(__file__).parent / "templates"
_LONGEST, _LONGEST_NAME = 400, 100
"""Characters of a text from an upload, and of a name; the lake has the whole of it."""


@dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, heading, template, and what counts it (None: left out)."""

    id: str
    title: str
    template: str
    sketch: Callable[[ReportScope], Sketch[object] | None]


SECTIONS = (
    Section("refused", "What was refused, and why", "refused.html.j2", refused),
    Section("contact", "Contact sheet", "contact.html.j2", contact),
    Section("changes", "Changes since the parent", "changes.html.j2", since_parent),
    Section("distributions", "Distributions", "distributions.html.j2", lambda scope: finished(distributions(scope))),
    Section("duplicates", "Images that are the same", "duplicates.html.j2", duplicates),
    Section("flagged", "What was accepted with a flag", "flagged.html.j2", flagged),
    Section("checks", "Checks that fired", "fired.html.j2", lambda scope: finished(fired(scope))),
    Section("gate", "The quality gate", "gate.html.j2", lambda scope: finished(gate(scope))),
    Section("provenance", "Where it came from", "provenance.html.j2", lambda scope: finished(provenance(scope))),
)
"""In the order of what a data owner asks: what is wrong, what it looks like, what changed, how it is spread."""


@dataclass(frozen=True)
class ReportPage:
    """What is rendered: a title, the verdict, and the sections that have content."""

    title: str
    verdict: VerdictBox
    sections: Sequence[tuple[Section, object]]


def sections(scope: ReportScope, album: Album) -> list[tuple[Section, object]]:
    """The sections that have something to show: all are counted, then the images they sample are read, then drawn."""
    made = [(section, section.sketch(scope)) for section in SECTIONS]
    sketches = [(section, sketch) for section, sketch in made if sketch is not None]
    keys = {key for _, sketch in sketches for key in sketch.keys}
    first = {key for _, sketch in sketches for key in sketch.first}
    material = Material(samples(scope.tables, scope.target, keys, first), album)
    return [(section, sketch.draw(material)) for section, sketch in sketches]


def render(page: ReportPage, album: Album) -> str:
    """The HTML; `album` must be developed."""
    return _environment().get_template("page.html.j2").render(page=page, album=album)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_inert,
    )
    environment.filters.update(
        sentence=_sentence, number=_number, data_uri=Markup, lines=_lines, size=_size, name=_name
    )
    return environment


def _inert(value: Any) -> Any:
    """Sanitise a template expression: text on one line, without control and direction characters."""
    return value if isinstance(value, Markup) else safe(value, _LONGEST)


def _number(value: float) -> str:
    return f"{value:,}"


def _size(value: float) -> str:
    """A coordinate in pixels, short."""
    return f"{value:.1f}".removesuffix(".0")


def _sentence(text: str) -> str:
    """A text that begins with a capital letter, as rules' meanings do not."""
    return text[:1].upper() + text[1:]


def _name(text: str) -> str:
    """A name by its beginning and, where it is long, its end: of a path that is the file."""
    if len(text) <= _LONGEST_NAME:
        return text
    part = _LONGEST_NAME // 2
    return f"{text[:part]}…{text[-part:]}"


def _lines(text: str) -> Markup:
    """A text of many lines, inert line by line."""
    return Markup("\n").join(safe(line, _LONGEST) for line in text.splitlines()[:500])

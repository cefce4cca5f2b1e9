"""Data Docs that need no network: the library's pages take styles, scripts and a logo from elsewhere.

Each page gets a content security policy, under which nothing is fetched and no script runs, and a style of its own.
The first page, which the library fills by script, is written here.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MARK = "<!-- imagelake -->"
_HEAD = f"""{_MARK}<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
:root {{ color-scheme: light dark }}
html body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 0 auto; padding: 1rem }}
img, form, .ge-navigation-sidebar-content fieldset, label, input, button, footer, iframe {{ display: none !important }}
table {{ border-collapse: collapse; max-width: 100%; overflow-wrap: anywhere }}
th, td {{ border-bottom: 1px solid #8886; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }}
.fa-check-circle::before, .passed::before {{ content: "\\2713\\00a0"; color: #2a8a3e; font-style: normal }}
.fa-times::before, .refused::before {{ content: "\\2717\\00a0"; color: #d1382c; font-style: normal }}
.text-danger {{ color: #d1382c }}
</style>
"""


@dataclass(frozen=True)
class _Result:
    """A result of a suite: when, whether it holds, and its page below the site, None where there is none."""

    suite: str
    time: str
    passed: bool | None
    page: str | None


def keep_offline(project: Path, title: str) -> None:
    """Make the pages of a project's Data Docs ask for nothing, and write their first page. title: what they are about.

    Nothing happens where there are no pages. Results that cannot be read are listed without an outcome.
    """
    site = project / "gx/uncommitted/data_docs/local_site"
    if not site.is_dir():
        return
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        if _MARK not in text:
            page.write_text(text.replace("<head>", f"<head>{_HEAD}", 1), "utf-8")
    (site / "index.html").write_text(_first_page(site, _results(project, site), title), "utf-8")


def _results(project: Path, site: Path) -> list[_Result]:
    folder = project / "gx/uncommitted/validations"
    return sorted(_read(folder, site), key=lambda result: (result.time, result.suite), reverse=True)


def _read(folder: Path, site: Path) -> Iterator[_Result]:
    """Files are …/<suite, a folder a part>/<run name>/<time>/<batch>.json."""
    for file in folder.rglob("*.json"):
        *suite, _, time, _ = file.relative_to(folder).parts
        page = Path("validations") / file.relative_to(folder).with_suffix(".html")
        there = page.as_posix() if (site / page).exists() else None
        yield _Result(".".join(suite), time, _outcome(file), there)


def _outcome(file: Path) -> bool | None:
    try:
        return bool(json.loads(file.read_bytes())["success"])
    except (ValueError, KeyError, TypeError):
        return None  # the judgement itself is in ops.quality


def _first_page(site: Path, results: list[_Result], title: str) -> str:
    suites = sorted(page.relative_to(site).as_posix() for page in (site / "expectations").rglob("*.html"))
    rows = "\n".join(
        f"<tr><td>{_time(r.time)}</td><td>{_link(r.page, r.suite)}</td><td>{_words(r.passed)}</td></tr>"
        for r in results
    )
    links = "\n".join(
        f"<li>{_link(page, page.removeprefix('expectations/').removesuffix('.html').replace('/', '.'))}</li>"
        for page in suites
    )
    name = html.escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{_HEAD}<meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{name}</title></head>\n'
        f"<body><h1>{name}</h1>\n<h2>Results</h2>\n<table><tr><th>time</th><th>suite</th><th>result</th></tr>\n"
        f"{rows}\n</table>\n<h2>Suites</h2>\n<ul>\n{links}\n</ul></body></html>\n"
    )


def _link(page: str | None, text: str) -> str:
    said = html.escape(text)
    return said if page is None else f'<a href="{html.escape(page, quote=True)}">{said}</a>'


def _words(passed: bool | None) -> str:
    if passed is None:
        return "cannot be read"
    word = "passed" if passed else "refused"
    return f'<span class="{word}">{word}</span>'


def _time(text: str) -> str:
    """`20261127T094722.709360Z` as `2026-11-27 09:47:22 UTC`."""
    day, _, clock = html.escape(text).partition("T")
    if len(day) != len("20261127") or len(clock) < len("094722"):
        return html.escape(text)
    return f"{day[:4]}-{day[4:6]}-{day[6:]} {clock[:2]}:{clock[2:4]}:{clock[4:6]} UTC"

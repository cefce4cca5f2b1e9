"""Writes the pages, or parts of pages, that the code itself says: python docs/generate.py"""

from __future__ import annotations

import ast
import runpy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from imagelake.quality.catalogue import RULES
from imagelake.tables import ALL

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src" / "imagelake"


def tables() -> str:
    """Every table with its columns."""
    return "\n".join(_tables()) + "\n"


def checks() -> str:
    """Every rule with its severity."""
    return "\n".join(_checks()) + "\n"


def architecture() -> str:
    """The page as it is, with the map of modules made anew."""
    before, start, rest = (HERE / "architecture.md").read_text("utf-8").partition("<!-- modules -->\n")
    _, end, after = rest.partition("<!-- end of modules -->\n")
    return before + start + "\n".join(_modules()) + "\n" + end + after


def _tables() -> Iterator[str]:
    yield "# Tables\n\nGenerated from `src/imagelake/tables` by `docs/generate.py`."
    yield "All are Delta tables under `tables/`."
    for spec in ALL:
        yield f"\n## {spec.name}\n\n{spec.doc}\n"
        partition = ", ".join(spec.partition_by) or "none"
        yield f"Path `{spec.path}`. Key: {', '.join(spec.key) or 'none'}. Partitioned by: {partition}. " + (
            "Append-only.\n" if spec.append_only else "Merged by key.\n"
        )
        yield "| column | type | meaning |\n|---|---|---|"
        for column in spec.columns:
            yield f"| {column.name} | `{column.type}` | {column.doc} |"


SECTIONS: tuple[tuple[str, str, str], ...] = (
    ("upload", "Uploads", "Nothing of a refused upload is taken (exit 3)."),
    ("file", "Files and documents", "The rest of the upload goes on."),
    ("image", "Images", "A refused image file or entry of a document is not in the draft; neither are its labels."),
    ("annotation", "Annotations", "Boxes, polygons, masks and classes of an image, one by one."),
    ("category", "Categories", "Classes as documents declare them and annotations use them."),
    ("dataset", "Datasets", "Counted in the warnings of a report."),
)
"""Entity, title and introduction of each part of the page of checks."""


def _checks() -> Iterator[str]:
    yield "# Checks\n\nGenerated from `src/imagelake/quality/catalogue` by `docs/generate.py`. Severities:\n"
    yield "- `reject`: the upload as a whole is refused, and nothing of it is taken (exit 3);"
    yield "- `quarantine`: the row stays out of the draft and is in silver.rejections, with its reason;"
    yield "- `warn`: the row is in the draft with the rule among its `flags`, and the report of the upload counts it;"
    yield "- `info`: as `warn`, but the report counts it among `infos`, which only `--json` shows;"
    yield "- `off`: nobody asks.\n"
    yield "A dataset sets the severity of a rule in `datasets/<D>.yaml` under `severities`, to one of those the rule"
    yield "may have; and under `gate.rules` how many rows of a draft may break it before the draft is not published."
    for entity, title, introduction in SECTIONS:
        yield f"\n## {title}\n\n{introduction}\n\n| rule | severity | may be | meaning |\n|---|---|---|---|"
        for rule in RULES:
            if rule.entity == entity:
                others = ", ".join(choice for choice in rule.choices if choice != rule.severity)
                yield f"| `{rule.id}` | {rule.severity} | {others} | {rule.doc} |"


def _modules() -> Iterator[str]:
    """A row for each module at the top and each package, with the first sentence of its docstring."""
    yield "| module | what it is for |\n|---|---|"
    files = [*SOURCE.glob("*.py"), *SOURCE.glob("*/**/__init__.py")]
    for file in sorted(files, key=_module):
        text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
        summary = " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")
        yield f"| `{_module(file)}` | {summary} |"


def _module(file: Path) -> str:
    """The path of a module below the sources: a package as a folder, a file as it is called."""
    path = file.relative_to(SOURCE)
    return path.as_posix() if len(path.parts) == 1 else f"{path.parent.as_posix()}/"


PAGES: Mapping[str, Callable[[], str]] = {
    "tables": tables,
    "checks": checks,
    "architecture": architecture,
    "views": runpy.run_path(str(HERE / "generate_views.py"))["views"],
    "api": runpy.run_path(str(HERE / "generate_api.py"))["api"],
}
"""Each generated page and what makes it."""


if __name__ == "__main__":
    for page, make in PAGES.items():
        (HERE / f"{page}.md").write_text(make(), "utf-8")

"""Tables of results: as Markdown, as committed JSON, in the docs, and compared with each other."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness.declare import Row
from benchmarks.harness.machine import Machine

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DOCS = ROOT / "docs" / "performance.md"

LOSS = 0.25
"""The share of a ratio whose loss fails a comparison."""

_REGION = re.compile(r"(<!-- table (\w+) (small|full) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Result:
    """The rows of one run of a benchmark in a size; `machine` is None where nobody looked."""

    benchmark: str
    size: str
    machine: Machine | None
    rows: tuple[Row, ...]


def markdown(result: Result) -> str:
    """The table, and a line on the machine."""
    headings = list(dict.fromkeys(h for row in result.rows for h in row.figures))
    lines = [["", "ratio", *headings]]
    lines += [[row.name, _ratio(row), *(row.figures.get(h, "") for h in headings)] for row in result.rows]
    table = ["| " + " | ".join(cells) + " |" for cells in lines]
    table.insert(1, "|---" * len(lines[0]) + "|")
    about = str(result.machine) if result.machine else "machine and load were not recorded"
    return "\n".join([*table, "", f"{about[0].upper()}{about[1:]}."]) + "\n"


def _ratio(row: Row) -> str:
    return f"{row.ratio:,.0f}" if row.ratio >= 100 else f"{row.ratio:.1f}" if row.ratio >= 10 else f"{row.ratio:.2f}"


def path_of(benchmark: str, size: str) -> Path:
    """Where the committed table is."""
    return RESULTS / f"{benchmark}.{size}.json"


def save(result: Result) -> None:
    """Make a result the committed one, and write it into the docs where they show it."""
    RESULTS.mkdir(exist_ok=True)
    path_of(result.benchmark, result.size).write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n")
    DOCS.write_text(with_tables(DOCS.read_text("utf-8")), "utf-8")


def committed(benchmark: str, size: str) -> Result | None:
    """The committed result, None where there is none."""
    path = path_of(benchmark, size)
    if not path.exists():
        return None
    document = json.loads(path.read_text("utf-8"))
    machine = Machine(**document["machine"]) if document["machine"] else None
    return Result(benchmark, size, machine, tuple(Row(**row) for row in document["rows"]))


def with_tables(text: str) -> str:
    """A page with the committed tables between its marks: <!-- table NAME SIZE --> and <!-- end -->."""

    def filled(mark: re.Match[str]) -> str:
        result = committed(mark[2], mark[3])
        if result is None:
            raise LookupError(f"the page shows {mark[2]} {mark[3]}, which has no committed table")
        return f"{mark[1]}\n{markdown(result)}\n{mark[4]}"

    return _REGION.sub(filled, text)


def losses(before: Result, after: Result) -> Sequence[str]:
    """A sentence for each row that lost more than LOSS of its ratio, or that the later run lacks."""
    rows = {row.name: row for row in after.rows}
    problems = []
    for row in before.rows:
        again = rows.get(row.name)
        if again is None:
            problems.append(f"{after.benchmark}: {row.name}: this run has no such row")
        elif _is_loss(row, again):
            problems.append(
                f"{after.benchmark}: {row.name}: ratio {again.ratio:.2f}, committed {row.ratio:.2f}, "
                f"{row.better} is better"
            )
    return problems


def _is_loss(before: Row, after: Row) -> bool:
    if before.better == "less":
        return after.ratio > before.ratio * (1 + LOSS)
    return after.ratio < before.ratio * (1 - LOSS)

"""Writes docs/tables.md and docs/checks.md from the declarations in the code: python docs/generate.py"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from imagelake.formats.rules import FORMAT_RULES
from imagelake.quality.catalogue import RULES
from imagelake.quality.fixed_rules import FILE_RULES, PUBLISH_RULES, UPLOAD_RULES
from imagelake.tables import ALL

HERE = Path(__file__).parent


def tables() -> str:
    """Every table with its columns."""
    return "\n".join(_tables()) + "\n"


def checks() -> str:
    """Every rule with its severity."""
    return "\n".join(_checks()) + "\n"


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


def _checks() -> Iterator[str]:
    yield "# Checks\n\nGenerated from the code by `docs/generate.py`. `reject` keeps a row out of silver and"
    yield "records it in silver.rejections; `warn` flags the row. A dataset may override the severity"
    yield "(reject, warn, off) of every rule that is not fixed, in `datasets/<D>.yaml` under `severities`.\n"
    yield "## Rules on rows and their relations\n\n| rule | severity | fixed | meaning |\n|---|---|---|---|"
    for rule in RULES:
        yield f"| `{rule.id}` | {rule.severity} | {'yes' if rule.fixed else ''} | {rule.doc} |"
    yield "\n## What readers report\n\nFixed: what could not be read cannot be let through.\n"
    yield "| rule | severity | meaning |\n|---|---|---|"
    for found in FORMAT_RULES:
        yield f"| `{found.id}` | {found.severity} | {found.doc} |"
    for title, rules in (
        ("What rejects a file\n\nFixed. The rest of the upload goes on.", FILE_RULES),
        ("What refuses an upload\n\nFixed. Nothing of it is taken (exit 3).", UPLOAD_RULES),
        ("What publish reports\n\nCounted in the warnings of its report.", PUBLISH_RULES),
    ):
        yield f"\n## {title}\n\n| rule | meaning |\n|---|---|"
        yield from (f"| `{rule_id}` | {doc} |" for rule_id, doc in rules)


if __name__ == "__main__":
    (HERE / "tables.md").write_text(tables(), "utf-8")
    (HERE / "checks.md").write_text(checks(), "utf-8")

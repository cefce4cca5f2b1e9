"""Nothing is declared that nobody uses: functions, settings, rules, columns."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.config.settings import Settings
from imagelake.quality.catalogue import RULES
from imagelake.tables import ALL

ROOT = Path(__file__).parents[2]

PUBLIC = {
    "__dir__": "of the package: names are imported when they are first used",
    "__getattr__": "of the package",
    "Lakehouse": "docs/api: lakes in a session of one's own",
    "write_bronze": "of Lakehouse",
    "write_silver": "of Lakehouse",
    "write_gold": "of Lakehouse",
    "time_travel": "of Lakehouse",
    "suite_frame": "of Lakehouse",
    "upload_url": "of Lake",
    "at_epoch": "of Stream",
    "torch": "of Stream",
    "load_state_dict": "of the torch data set: its loaders call it",
    "to_polars": "of SqlResult",
    "into_blob_tables": "of imagelake.files",
    "into_temp_dir": "of imagelake.files",
    "raise_if_failed": "of imagelake.files",
    "get_name": "Ray calls it",
    "estimate_inmemory_data_size": "Ray calls it",
    "get_read_tasks": "Ray calls it",
    "seekable": "io calls it",
    "readinto": "io calls it",
    "more_classes": "the report's template shows it",
    "is_across": "the report's template shows it",
    "is_one_sided": "the report's template shows it",
}
"""What vulture finds no use of within the program, and who uses it."""


def test_every_function_and_class_is_used() -> None:
    command = [sys.executable, "-m", "vulture", "src", "jobs", "docs", "benchmarks", "--min-confidence", "60"]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    pattern = re.compile(r"^src/.*: unused (?:function|method|class|property|import) '(\w+)'", re.MULTILINE)
    assert set(pattern.findall(report)) == set(PUBLIC)


@cache
def sources() -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "src").rglob("*.py")))


def uses(name: str) -> int:
    return len(re.findall(rf"\b{re.escape(name)}\b", sources()))


def keys(model: type[BaseModel], above: str = "") -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += keys(kind, f"{above}{name}.")
        else:
            names.append(f"{above}{name}")
    return names


@pytest.mark.parametrize("key", sorted({*keys(Settings), *keys(DatasetSettings)}))
def test_every_setting_is_read_somewhere(key: str) -> None:
    assert uses(key.rpartition(".")[2]) > 1


@pytest.mark.parametrize("rule", sorted(rule.id for rule in RULES))
def test_every_rule_is_applied_somewhere(rule: str) -> None:
    """Whole, or put together from the entity and its last part."""
    composed = f'}}.{rule.partition(".")[2]}"'
    assert uses(rule) > 1 or composed in sources()


@pytest.mark.parametrize("column", sorted({(spec.name, name) for spec in ALL for name in spec.names}))
def test_every_column_is_written_somewhere(column: tuple[str, str]) -> None:
    _, name = column
    assert uses(name) > 1

"""docs/api.md has every public name of the Python API."""

from __future__ import annotations

import re

import pytest
from documents import ROOT

import imagelake
import imagelake.files
from imagelake.client.data.samples import Samples
from imagelake.client.data.stream import Stream
from imagelake.client.lake import Lake
from imagelake.spark import Lakehouse

TEXT = (ROOT / "docs" / "api.md").read_text("utf-8")
HEADINGS = set(re.findall(r"^#{3,4} ([\w.]+)$", TEXT, re.MULTILINE))


def public(of: type) -> set[str]:
    """Methods and properties; fields are in the block of the class."""
    fields = set(getattr(of, "__dataclass_fields__", ()))
    return {name for name in vars(of) if not name.startswith("_") and name not in fields}


def test_every_name_of_the_package_is_there() -> None:
    listed = HEADINGS | set(re.findall(r"^\| `([\w.]+)` \| \d+ \|", TEXT, re.MULTILINE))
    assert {f"imagelake.{name}" for name in imagelake.__all__ if name != "__version__"} <= listed


def test_every_name_of_imagelake_files_is_there() -> None:
    assert [name for name in imagelake.files.__all__ if f"imagelake.files.{name}" not in TEXT] == []


@pytest.mark.parametrize("of", [Lake, Samples, Stream, Lakehouse], ids=lambda of: of.__name__)
def test_every_method_is_there_and_no_other(of: type) -> None:
    listed = {heading.partition(".")[2] for heading in HEADINGS if heading.startswith(f"{of.__name__}.")}
    assert listed == public(of)


def test_what_the_methods_give_is_there_with_its_document() -> None:
    table = TEXT.partition("### What its methods give")[2].partition("\n## ")[0]
    names = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert {"SqlResult", "Diff", "Verification", "Exported", "ParquetSnapshot", "Urls", "Page"} <= names


def test_no_entry_is_without_words() -> None:
    entries = re.split(r"^#{3,4} [\w.]+$", TEXT, flags=re.MULTILINE)[1:]
    bare = [entry for entry in entries if not re.sub(r"```.*?```", "", entry, flags=re.DOTALL).strip()]
    assert bare == []

"""Lakes on disk: copies for runs that change them, and what is written to them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_NEVER_CHANGED = (".parquet", ".zip", ".jpg")


def fresh_copy(lake: Path, copy: Path) -> Path:
    """A copy to write into, in place of an earlier one; files that never change are linked."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(lake, copy, copy_function=_link_or_copy)
    return copy


def _link_or_copy(source: str, target: str) -> str:
    if source.endswith(_NEVER_CHANGED) and "_delta_log" not in source:
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))


def size(lake: Path) -> int:
    """Bytes of all files below a lake."""
    return sum(path.stat().st_size for path in lake.rglob("*") if path.is_file())

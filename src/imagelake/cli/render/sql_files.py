"""An answer of `sql` as CSV on stdout, or as a Parquet file."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from imagelake.cli.plain import safe
from imagelake.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.client.query.sql_result import SqlResult


def write_csv(out: TextIO, answer: SqlResult) -> None:
    """A header and one record a row, after RFC 4180, in UTF-8: null is empty, times are ISO 8601, bytes hex, lists and
    structs JSON. On a terminal control characters in texts are spelled out; in a file they are as they are.
    """
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(encoding="utf-8", newline="")
    text = safe if out.isatty() else str
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([text(name) for name in answer.columns])
    writer.writerows([_field(value, text) for value in row] for row in answer.rows)
    out.flush()


def _field(value: Any, text: Callable[[str], str]) -> str:
    from imagelake.client.query.sql_result import json_value

    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | dict):
        return text(json.dumps(json_value(value), ensure_ascii=False))
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return value.isoformat() if hasattr(value, "isoformat") else text(str(value))


def require_new(path: Path) -> None:
    """UsageError where a file cannot be made: something is there, or its folder is not."""
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is there already", hint="name a new file; nothing is overwritten")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="make it first, or name a file elsewhere")


def write_parquet(path: Path, answer: SqlResult) -> dict[str, Any]:
    """Write the answer under a temporary name, then rename it; what the document says about the file.

    UsageError for columns that Parquet cannot hold, and for two columns of one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    answer.require_unique_names()
    reader = answer.to_arrow_reader()
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    rows = 0
    try:
        with pq.ParquetWriter(part, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
        require_new(path)
        part.rename(path)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        hint = "cast the column, such as column::VARCHAR"
        raise UsageError(f"Parquet cannot hold this answer: {error}", hint=hint) from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="name a file that may be written") from None
    finally:
        part.unlink(missing_ok=True)
    return {"place": str(path), "columns": list(answer.columns), "rows": rows, "bytes": path.stat().st_size}


def parquet_file(to: Console, document: Mapping[str, Any]) -> None:
    """Where the file is, and what it holds."""
    to.print(f"{safe(document['place'])}: {document['rows']:,} rows, {document['bytes']:,} bytes", soft_wrap=True)

"""Frames whose columns hold URIs of files, for whoever prepares data with pandas or Ray before or after the lake.

A row has a URI for each of its files, on local disk or in a bucket, and other columns that are data:

    options = Options(S3Settings(endpoint="https://store.example", connections=32))
    reader(frame, options).into_size_table()      # sizes in place of URIs, to plan with
    reader(frame, options).into_blob_table()      # bytes in place of URIs
    with reader(row, options).into_temp_dir() as paths: ...
    write_files({"image": data}, "s3://bucket/out", id="cat-7", options=options)
    Pipeline(fn, WriteOptions("s3://bucket/out")).run(frame)

A row that fails is never dropped: results are a table and the `errors` of the other rows. `raise_if_failed()` is the
strict way. Needs neither Spark nor Java; pandas and ray only where their frames are made.

The way through: `access` (Options) → `row_frames`, `uri_columns` (rows, and which of their columns hold URIs) →
`fetch_rows`, `temp_dirs` (reading) → `read` (reader); `write_row`; `row_pipeline` on both; `ray` on the former.
"""

from __future__ import annotations

from imagelake.files.access import Options
from imagelake.files.outcome import ERRORS, Outcome, RowError
from imagelake.files.ray import blob_reader
from imagelake.files.read import FrameReader, RowReader, reader
from imagelake.files.row_pipeline import Pipeline, PipelineResult, WriteOptions
from imagelake.files.temp_dirs import RowFiles
from imagelake.files.write_row import write_files

__all__ = [
    "ERRORS",
    "FrameReader",
    "Options",
    "Outcome",
    "Pipeline",
    "PipelineResult",
    "RowError",
    "RowFiles",
    "RowReader",
    "WriteOptions",
    "blob_reader",
    "reader",
    "write_files",
]

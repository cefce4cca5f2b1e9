"""Versions as plain Parquet: snapshots in the lake, and `get --format parquet`.

`rows` reads the four tables in one fixed order, `files` writes them to the same bytes wherever it runs. `snapshot` puts
the files of a version into the lake, `layout` those of a selection into a folder: whole, or by `keys` in the folders
of `hive`.
"""

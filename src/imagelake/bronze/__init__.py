"""Uploads as they came: recorded, probed, stored.

`ingest` is the way through: recognise the format, probe every file (`probe/`), store bytes the lake does not have
(`store/`), commit the rows (`bronze_rows`). `seen_files` finds what needs no second probe, `locations` where bytes are.
"""

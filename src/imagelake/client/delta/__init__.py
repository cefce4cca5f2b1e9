"""Tables as rows: logs by delta-rs, rows by DuckDB (`tables`), live rows of a version (`version_rows`)."""

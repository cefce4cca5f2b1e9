"""The lake without a JVM: what `imagelake.open` gives, over delta-rs and DuckDB. Nothing here writes."""

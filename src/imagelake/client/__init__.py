"""The lake without a JVM: what `imagelake.open` gives, over delta-rs and DuckDB.

`lake` has the public verbs, `catalog` what references name, `delta/` reads the tables. A verb's work is in `query/`,
`inspect/`, `diff/`, `serve/`, `labelling/`, `quarantine/` or `data/`. Only labels that people save are written here.
"""

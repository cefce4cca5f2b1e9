"""Java code: the log store that Delta uses (source in src/, jar beside this file)."""

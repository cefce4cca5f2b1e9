"""Java: finding it, starting it, and the log store that runs in it (source in src/, jar beside this file)."""

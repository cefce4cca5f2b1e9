"""`maintain`: leftovers of killed runs, compaction, vacuum, packages, suites; each part is a file."""

"""A draft beside the newest version: compared whole by Spark, or here where few rows may differ.

`draft.draft_of` decides; `whole` and `local` are the two; `changed` finds the rows that may differ.
"""

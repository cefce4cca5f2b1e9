"""Versions: planned, judged, published.

`publish` is the way through: `make_plan` compares the draft (`drafts/`) with the newest version, `run_gate` judges what
`measures/` counts, the logs are appended, and the version row is written last.
"""

"""Uploads as rows: parsed, matched with images, judged by the rules, merged into the draft.

`build` is the way through: `upload/` reads one upload, `rows/` makes its rows, `apply_upload` applies them to the
draft, `changes` writes what differs.
"""

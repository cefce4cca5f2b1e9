"""Versions as folders that other tools read: `imagelake get REF DEST --format …`.

A format lays out a selection (`base.Content`) in a folder that is still being made (`folder.Folder`), and counts what
it cannot hold. `get` makes the folder beside its place, takes up what an interrupted run left, and renames it last.
"""

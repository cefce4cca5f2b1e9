"""Annotations in pixels of the raw image, with area and hashes.

`pixel_rows` says what that means, row by row; `pixel_columns` does the same for columns, fast.
"""

"""Annotations in pixels of the raw image, with area and hashes: `rows` says what that means, `columns` does it fast."""

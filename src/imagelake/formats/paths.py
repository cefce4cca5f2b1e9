"""Paths inside an upload: their folders, and names that documents of other machines write."""

from __future__ import annotations

import re

from imagelake.core.upload_paths import IMAGE_SUFFIXES

SUFFIXES = "|".join(re.escape(suffix) for suffix in sorted(IMAGE_SUFFIXES, key=lambda s: (-len(s), s)))
"""The suffixes of images as alternatives of a pattern, long ones first."""

LABEL_FOLDERS = frozenset(("labels", "label"))
"""What YOLO calls the folders of its label files."""


def folder_of(path: str) -> str:
    """The folder a file lies in; empty for the top."""
    return path.rpartition("/")[0]


def ancestors(folder: str) -> list[str]:
    """The folder and those above it, the nearest first, the last one the top."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:count]) for count in range(len(parts), -1, -1)]


def in_label_folder(path: str) -> bool:
    """Whether a file lies somewhere in a folder for label files."""
    return any(folder.lower() in LABEL_FOLDERS for folder in path.split("/")[:-1])


def plain_path(written: str) -> str:
    r"""A path as names only: with `/`, without drive, `.` and wildcards; `..` takes the folder before it, if any."""
    parts: list[str] = []
    for part in written.strip().replace("\\", "/").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", ".", "~") and "*" not in part and not re.fullmatch(r"[A-Za-z]:", part):
            parts.append(part)
    return "/".join(parts)

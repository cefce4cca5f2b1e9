"""Frames of URIs for the tests of imagelake.files: some name files, some name none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

BROKEN: Mapping[str, Callable[[Path], object]] = {
    "missing": lambda folder: str(folder / "none.png"),
    "missing folder": lambda folder: (folder / "none" / "x.png").as_uri(),
    "null": lambda folder: None,
    "number": lambda folder: 7,
    "empty": lambda folder: "",
    "folder": lambda folder: f"{folder}/",
    "folder without slash": lambda folder: str(folder),
    "below a file": lambda folder: str(folder / "0.png" / "x.png"),
    "parent": lambda folder: f"{folder}/..",
    "scheme": lambda folder: "gopher://host/x.png",
    "host": lambda folder: "file://elsewhere/x.png",
    "bucket": lambda folder: "s3://A_BAD_BUCKET/x.png",
    "bucket alone": lambda folder: "s3://bucket",
    "nul": lambda folder: f"{folder}/\0.png",
    "nul, encoded": lambda folder: f"{folder.as_uri()}/%00.png",
    "surrogate": lambda folder: f"{folder}/\ud800.png",
    "path": lambda folder: folder / "none.png",
    "path of a folder": lambda folder: folder,
    "path with nul": lambda folder: folder / "\0.png",
    "too long": lambda folder: f"{folder}/{'x' * 300}.png",
    "user": lambda folder: "~nobody-of-that-name/x.png",
    "circle": lambda folder: str(folder / "circle" / "x.png"),
}
"""URIs that name no file, by what is wrong with them."""

CONTENTS = [b"", b"one", b"\x00\xff" * 400, b"three"]


@dataclass(frozen=True)
class Cell:
    """A URI and what the file holds; None when it names none."""

    uri: object
    content: bytes | None


def make_files(folder: Path) -> None:
    """The files 0.png, 1.png, … and a link that leads to itself."""
    for number, content in enumerate(CONTENTS):
        (folder / f"{number}.png").write_bytes(content)
    (folder / "circle").symlink_to("circle")


def cells(folder: Path) -> st.SearchStrategy[Cell]:
    """Files of the folder as paths and URIs, and broken URIs."""
    paths = [folder / f"{number}.png" for number in range(len(CONTENTS))]
    good = [
        Cell(uri, content)
        for path, content in zip(paths, CONTENTS, strict=True)
        for uri in (str(path), path.as_uri(), path)
    ]
    broken = [Cell(make(folder), None) for make in BROKEN.values()]
    return st.sampled_from(good) | st.sampled_from(broken)


def table_of(rows: list[tuple[Cell, Cell]]) -> dict[str, list[Any]]:
    """The rows as columns: id, image, mask, and a number that is data."""
    return {
        "id": [f"row-{number}" for number in range(len(rows))],
        "image": [image.uri for image, _ in rows],
        "weight": list(range(len(rows))),
        "mask": [mask.uri for _, mask in rows],
    }

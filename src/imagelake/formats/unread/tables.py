"""Tables of images that no reader takes: CSV by its columns, and texts whose rows begin with the names of images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from imagelake.core.upload_paths import is_image_name, take_apart
from imagelake.formats.base import Unread
from imagelake.formats.lists.members import list_split
from imagelake.formats.paths import SUFFIXES
from imagelake.formats.small_documents import number
from imagelake.formats.unread.names import MAYBE, ImageNames, is_telling, says_labels, says_no_labels

CSV_OF_CLASSES = "CSV of classes"
TEXT_TABLE = "a table of images (text)"

_SEPARATORS = (",", ";", "\t", "|")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_NAME_COLUMNS = frozenset(
    ("filename", "file", "image", "imageid", "imagename", "imagepath", "path", "img", "id", "imgid")
)
_SURE_NAME_COLUMNS = _NAME_COLUMNS - {"file", "path", "id"}
_CLASS_COLUMNS = frozenset(
    ("class", "classname", "classid", "label", "labels", "labelname", "category", "species", "target")
)
_PLAIN_COLUMNS = frozenset(
    (
        *("url", "link", "source", "license", "licence", "author", "photographer", "copyright", "date", "time"),
        *("datetime", "timestamp", "width", "height", "size", "filesize", "bytes", "md5", "sha1", "sha256", "hash"),
        *("lat", "lon", "lng", "latitude", "longitude", "altitude", "split", "subset"),
    )
)
"""Columns that say something about a picture and do not label it."""

_BOXES = (
    frozenset(("xmin", "ymin", "xmax", "ymax")),
    frozenset(("x1", "y1", "x2", "y2")),
    frozenset(("x", "y", "w", "h")),
    frozenset(("bboxx", "bboxy", "bboxwidth", "bboxheight")),
)
_BOX_COLUMNS = frozenset(("bbox", "box", "boxes", "regionshapeattributes", "encodedpixels", "predictionstring"))
_BOX_CELLS = 6
"""Columns of RetinaNet's rows without a header: path, x1, y1, x2, y2, class."""

_CSV_ROWS, _ROWS, _HEADERS = 5, 200, 3

_NAME_FIRST = re.compile(
    rf"""["']?([^\t,;|]*?(?:{SUFFIXES}))["']?(?:\#\d+)?[\s,;|:]\s*(\S.*)""",
    re.IGNORECASE,
)
_BETWEEN_CELLS = re.compile(r"\s*[,;|]\s*|\s+")
_PATH = re.compile(r"[^\s]*[^\s.]\.[A-Za-z]{2,5}")
_PLAIN_TEXT = re.compile(r"://|\b[0-9a-f]{32,}\b|\b\d{4}[-:]\d\d[-:]\d\d\b")
"""An address, a digest, or a date."""

_PROSE_WORDS = 4

_MXNET = ".lst"
"""Rows of number, class and path; elsewhere what stands before a path may be an index, a time, a camera's place."""


@dataclass(frozen=True)
class _Row:
    """A row of a text table: the image it names, whether that is in the upload, and the cells beside the name.

    `is_sure` unless the name may be a number by chance, or stands behind an index.
    """

    image: str
    is_here: bool
    cells: tuple[str, ...]
    is_sure: bool = True


def csv_table(path: str, text: str, names: ImageNames) -> Unread | None:
    """What a table of values is, by the names of its columns, or by its first rows; None when it holds no labels."""
    lines = [line for line in text.splitlines()[:_ROWS] if not line.lower().startswith("sep=")]
    first = lines[0].strip() if lines else ""
    separator = max(_SEPARATORS, key=first.count)
    header, *rows = [[cell.strip().strip("\"'") for cell in line.split(separator)] for line in lines] or [[]]
    if len(header) < 2:
        return None
    if is_image_name(header[0]):
        kind = "CSV of boxes" if len(header) >= _BOX_CELLS else CSV_OF_CLASSES
        return _unread(path, kind, is_certain=not _PLAIN_TEXT.search(first))
    columns = {_NO_WORD.sub("", cell.lower()) for cell in header}
    if "file_name" in header:
        return _unread(path, "Hugging Face metadata", is_certain=True)
    if {"annotationid", "leadtime"} <= columns:
        return _unread(path, "Label Studio CSV", is_certain=True)
    return _by_columns(path, columns, rows, names)


def text_table(path: str, text: str, names: ImageNames) -> Unread | None:
    """A text whose rows name images and go on with other columns; None for lists of images and all other texts."""
    lines = [stripped for line in islice(text.splitlines(), _ROWS) if (stripped := line.strip())]
    if len(lines) > 1 and _begins_block(lines, names):
        return _unread(path, TEXT_TABLE, is_certain=names.has_file(lines[0]) or names.has_stem(lines[0]))
    rows = [_row(line, names) for line in lines]
    start = next((place for place, row in enumerate(rows) if row is not None), len(rows))
    hits = [row for row in rows[start:] if row is not None]
    if start > _HEADERS or not hits or 2 * len(hits) < len(rows) - start or _is_list(path, hits):
        return None
    is_mxnet = path.lower().endswith(_MXNET)
    is_sure = any(row.is_here and (row.is_sure or (is_mxnet and len(row.cells) > 1)) for row in hits)
    is_sentence = len(hits) == 1 and not _are_headers(lines[:start], hits[0]) and not says_labels(path)
    return _unread(path, TEXT_TABLE, is_certain=is_sure and not is_sentence and not _is_plain(path, hits))


def _are_headers(lines: Sequence[str], row: _Row) -> bool:
    """Whether what stands before the only row of a table names its columns; a sentence has more or fewer words."""
    return all(len(_BETWEEN_CELLS.split(line.rstrip(",;| "))) == len(row.cells) + 1 for line in lines)


def _unread(path: str, kind: str, *, is_certain: bool) -> Unread:
    return Unread(path, kind) if is_certain and not says_no_labels(path) else Unread(path, kind, MAYBE, False)


def _by_columns(path: str, columns: set[str], rows: Sequence[Sequence[str]], names: ImageNames) -> Unread | None:
    has_boxes = not columns.isdisjoint(_BOX_COLUMNS) or any(box <= columns for box in _BOXES)
    is_named, has_classes = not columns.isdisjoint(_NAME_COLUMNS), not columns.isdisjoint(_CLASS_COLUMNS)
    kind = "CSV of boxes" if has_boxes else CSV_OF_CLASSES
    repeats = not has_boxes and _repeat_folders([tuple(row) for row in rows])
    if is_named and (has_boxes or has_classes):
        return _unread(path, kind, is_certain=not repeats)
    first = rows[:_CSV_ROWS]
    pictured = any(is_image_name(cell) for row in first[:2] for cell in row)
    if (pictured and is_named) or _column_of_images(first, names, is_sure=True):
        return _unread(path, kind, is_certain=not repeats and len(columns - _PLAIN_COLUMNS) > 1)
    if pictured or not columns.isdisjoint(_SURE_NAME_COLUMNS) or _column_of_images(first, names, is_sure=False):
        return _unread(path, kind, is_certain=False)
    return None


def _column_of_images(rows: Sequence[Sequence[str]], names: ImageNames, *, is_sure: bool) -> bool:
    """Whether at least half of the rows name an image of the upload in the same column.

    is_sure: only names count that are hardly anything else.
    """
    cells = [
        place
        for row in rows
        for place, cell in enumerate(row)
        if names.has_file(cell) or (names.has_stem(cell) and (is_telling(cell) or not is_sure))
    ]
    return any(2 * cells.count(place) >= len(rows) for place in set(cells))


def _row(line: str, names: ImageNames) -> _Row | None:
    named = _NAME_FIRST.match(line)
    if named and (names.has_file(named[1]) or " " not in named[1]):
        cells = tuple(_BETWEEN_CELLS.split(named[2].rstrip(",;| ")))
        return _Row(named[1], names.has_file(named[1]), cells)
    cells = tuple(_BETWEEN_CELLS.split(line.rstrip(",;| ")))
    numbers = sum(number(cell) is not None for cell in cells[1:])
    if is_image_name(cells[-1]) and len(cells) > 1 and all(number(cell) is not None for cell in cells[:-1]):
        return _Row(cells[-1], names.has_file(cells[-1]), cells[:-1], is_sure=False)
    if len(cells) > 2 and 2 * numbers > len(cells) - 1 and names.has_stem(cells[0]):
        return _Row(cells[0], True, cells[1:], is_sure=is_telling(cells[0]))
    return None


def _begins_block(lines: Sequence[str], names: ImageNames) -> bool:
    """Whether a text begins with the name of an image, its number of boxes, and a row for each: as of WIDER FACE."""
    image, count, *rows = lines[:3]
    if not count.isdecimal() or not (is_image_name(image) or (names.has_stem(image) and is_telling(image))):
        return False
    cells = _BETWEEN_CELLS.split(rows[0]) if rows else []
    return len(cells) >= 4 and all(number(cell) is not None for cell in cells)


def _is_list(path: str, rows: Sequence[_Row]) -> bool:
    """Whether rows are a list for the readers: of pairs of files, or of images with the classes of their folders."""
    seconds = {row.cells[0] for row in rows if len(row.cells) == 1}
    if any(len(row.cells) != 1 for row in rows):
        return False
    if all(_PATH.fullmatch(cell) and number(cell) is None for cell in seconds):
        return True
    return list_split(path) is not None and _repeat_folders([(row.image, row.cells[0]) for row in rows])


def _repeat_folders(rows: Sequence[tuple[str, ...]]) -> bool:
    """Whether rows of two cells, an image with its folders and a class, say what the class folders say already."""
    classes: dict[str, str] = {}
    for row in rows:
        folder = (
            take_apart(row[0].lstrip("/")).key.rpartition("/")[0] if len(row) == 2 and is_image_name(row[0]) else ""
        )
        if not folder or classes.setdefault(folder, row[1]) != row[1]:
            return False
    return bool(rows)


def _is_plain(path: str, rows: Sequence[_Row]) -> bool:
    """Whether the columns are addresses, digests, dates or sentences, in a file that is not named like labels."""
    if says_labels(path):
        return False
    plain = sum(bool(_PLAIN_TEXT.search(" ".join(row.cells))) or _is_prose(row.cells) for row in rows)
    return 2 * plain >= len(rows)


def _is_prose(cells: Sequence[str]) -> bool:
    return len(cells) >= _PROSE_WORDS and 2 * sum(number(cell) is not None for cell in cells) < len(cells)

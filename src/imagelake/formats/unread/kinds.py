"""Labels of kinds that no reader takes: named by how their files look, so that they are not lost without a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from imagelake.core import receipt
from imagelake.core.upload_paths import is_image_name, is_paper
from imagelake.formats.base import Tree, Unread, read_or_none
from imagelake.formats.small_documents import stem
from imagelake.formats.text_documents import head_utf8
from imagelake.formats.unread.documents import json_document, misnamed, without_content, xml_document, yaml_document
from imagelake.formats.unread.masks import masks
from imagelake.formats.unread.names import MAYBE, ImageNames, label_of, says_labels
from imagelake.formats.unread.tables import csv_table, text_table

HEAD = 16 << 10
"""Bytes of a file that are looked at: keys may stand behind an image that is embedded as text."""

BUDGET = 64 << 20
"""Bytes that are looked at in all; the files after them are judged by those of their folder and suffix."""

_IDX = ("idx1-ubyte", "idx3-ubyte")
"""Ends of MNIST's names, behind a point or a dash."""

_LEAST_COST = 512
"""What opening a file counts for, however small it is."""

_SUFFIX_KINDS = {".tfrecord": "TFRecord", ".record": "TFRecord", ".tfrecords": "TFRecord", ".parquet": "Parquet"}
_MAYBE_KINDS = {
    ".mat": "MATLAB",
    ".npy": "NumPy",
    ".npz": "NumPy",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".xlsx": "a spreadsheet",
    ".xls": "a spreadsheet",
    ".ods": "a spreadsheet",
    ".db": "a database",
    ".sqlite": "a database",
    ".sqlite3": "a database",
    ".lmdb": "LMDB",
    ".mdb": "LMDB",
    ".arrow": "Arrow",
    ".feather": "Arrow",
    ".rec": "RecordIO",
    ".idx": "RecordIO",
    ".pb": "protocol buffers",
    ".pbtxt": "a label map",
    ".pts": "landmarks",
    "idx1-ubyte": "IDX",
    "idx3-ubyte": "IDX",
}
"""Kinds of files that may hold labels, or pictures, or anything else."""

_TEXT_OF_IMAGE = "text named like an image"
"""Readers have looked into it: it holds no rows they know."""

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_ARCHIVE_BEGINNINGS = (b"PK\x03\x04", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")
_JSON = (".json", ".jsonl", ".ndjson", ".manifest", ".geojson", ".vott")
_TABLES = (".csv", ".tsv", ".tab", ".psv")
_YAML = (".yaml", ".yml")
_DOCUMENTS = (*_JSON, *_TABLES, ".xml")
_TEXTS = (
    *("", ".txt", ".lst", ".list", ".ann", ".anno", ".annotation", ".annotations", ".label", ".labels", ".token"),
    *(".coco", ".dat", ".data", ".text", ".bak", ".old", ".orig", ".jsn"),
)
_LOOKED_AT = frozenset((*_DOCUMENTS, *_YAML, *_TEXTS, *_ARCHIVES))


def other_labels(tree: Tree, used: frozenset[str]) -> tuple[Unread, ...]:
    """The files of a tree, beside those that are used, that hold labels of a kind no reader takes, in order of path."""
    rest = [path for path in tree.paths if path not in used]
    if receipt.NAME in rest:  # an exported folder of rejections, whose sheet names images and labels nothing
        rest = [path for path in rest if path != receipt.SHEET]
    files = (*_looked_at(tree, [path for path in rest if _may_be_labels(path)]), *masks(rest))
    return tuple(sorted(files, key=lambda unread: unread.path))


def _looked_at(tree: Tree, paths: Sequence[str]) -> Iterator[Unread]:
    names = ImageNames.of(tree.paths if paths else ())
    is_only = sum(_suffix(path) in _DOCUMENTS for path in tree.paths) == 1 if paths else False
    left = BUDGET
    kinds: dict[tuple[str, str], Unread] = {}
    for path in paths:
        suffix = _suffix(path)
        if suffix in _SUFFIX_KINDS or suffix in _MAYBE_KINDS:
            yield _by_suffix(path, suffix)
            continue
        if suffix == ".txt" and (text := _text_of_image(path, names)) is not None:
            if tree.size(path):
                yield text
            continue
        place = (path.rpartition("/")[0], suffix)
        if left <= 0:
            if place in kinds:
                yield replace(kinds[place], path=path)
            continue
        head = read_or_none(tree, path, HEAD)
        left -= max(len(head or b""), _LEAST_COST)
        unread = None if head is None else _judge(path, head, names, is_cut=tree.size(path) > HEAD, is_only=is_only)
        if unread is not None:
            kinds[place] = unread
            yield unread


def _judge(path: str, head: bytes, names: ImageNames, *, is_cut: bool, is_only: bool) -> Unread | None:
    """What a file is, by the beginning of it."""
    suffix = _suffix(path)
    if head.startswith(_ARCHIVE_BEGINNINGS) or suffix in _ARCHIVES:
        is_certain = (
            says_labels(path) or suffix in _DOCUMENTS or _suffix(path.lower().removesuffix(suffix)) in _DOCUMENTS
        )
        return Unread(path, "an archive", "archives in an upload are not opened; unpack it", is_certain)
    if suffix in _DOCUMENTS:
        unread = None if is_cut else without_content(path, head, is_only=is_only)
        if unread is not None or not head.strip():
            return unread
    if suffix == ".xml":
        return xml_document(path, head, names)
    text = head_utf8(head).decode("utf-8", "ignore").lstrip("\ufeff").lstrip()
    if suffix in _JSON:
        return json_document(path, text, names, is_whole=not is_cut)
    return _judge_text(path, text.rpartition("\n")[0] or text if is_cut else text, names)


def _judge_text(path: str, text: str, names: ImageNames) -> Unread | None:
    suffix = _suffix(path)
    if "\0" in text:
        return None
    if suffix in _TABLES:
        return csv_table(path, text, names)
    if suffix in _YAML:
        return yaml_document(path, text, names)
    return misnamed(path, text, names) if text.startswith(("{", "[", "<")) else text_table(path, text, names)


def _text_of_image(path: str, names: ImageNames) -> Unread | None:
    """The text of one image: certain labels when its name says so as well, as of `gt_img_1.txt`."""
    name = stem(path)
    if names.has_stem(name) or names.has_file(name):
        return Unread(path, _TEXT_OF_IMAGE, MAYBE, False)
    bare = label_of(name)
    return Unread(path, _TEXT_OF_IMAGE) if bare is not None and names.has_stem(bare) else None


def _by_suffix(path: str, suffix: str) -> Unread:
    if suffix in _SUFFIX_KINDS:
        return Unread(path, _SUFFIX_KINDS[suffix])
    return Unread(path, _MAYBE_KINDS[suffix], MAYBE, False)


def _may_be_labels(path: str) -> bool:
    if is_image_name(path) or is_paper(path):
        return False
    suffix = _suffix(path)
    return suffix in _LOOKED_AT or suffix in _SUFFIX_KINDS or suffix in _MAYBE_KINDS


def _suffix(path: str) -> str:
    """The suffix of a file in small letters; that of JSON for `a.json (1)` and `a.json~`, empty where there is none."""
    name = path[path.rfind("/") + 1 :].lower()
    if name.endswith(_IDX):
        return name[-len(_IDX[0]) :]
    suffix = name[name.rfind(".") :] if "." in name else ""
    is_json = suffix.startswith(".json") and suffix not in _JSON
    return ".jsn" if is_json else suffix

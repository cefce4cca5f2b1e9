"""What a name inside an upload may look like. Nothing is repaired: a name that breaks a rule refuses the upload."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.core.digest import nfc
from imagelake.errors import UploadRejected
from imagelake.uploads.source_rows import batches, texts

MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255
MAX_DEPTH = 64

_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\\]|^/|//|^[A-Za-z]:|(?:^|/)\.\.?(?:/|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_MAC_ICON = re.compile(r"(?:^|/)(?:\._)?Icon\r$")

_BACKSLASH_IN_ZIP = (
    "Compress-Archive of Windows PowerShell writes such names; make the zip with 7-Zip, with Explorer's 'Send to > "
    "Compressed (zipped) folder' or with tar -a -c -f upload.zip FOLDER, or upload the folder"
)


def shown(name: str) -> str:
    """The name as it may appear in a message: quoted, control characters escaped, cut to 120 characters."""
    return repr(name if len(name) <= 120 else name[:117] + "…")


def check_path(path: str, kind: str) -> None:
    """UploadRejected unless the path is relative, clean and of bounded length.

    A slash at the end marks a directory. `kind` (archive, folder, file) begins the rule id.
    """
    if path.endswith("\r") and _MAC_ICON.search(path):
        path = path[:-1]  # a folder's icon in Finder: its name is odd, but it is junk and never used
    if _ODD.search(path) is not None:
        raise _odd(path, kind)
    if len(path) <= MAX_NAME_BYTES // 4 and path:
        return
    parts = path.removesuffix("/").split("/")
    if not path or len(parts) > MAX_DEPTH or len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        raise UploadRejected(
            f"member name {shown(path)} is empty, over {MAX_PATH_BYTES} bytes long or over {MAX_DEPTH} folders deep",
            rule=f"{kind}.name_invalid",
        )
    if any(len(part.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES for part in parts):
        raise UploadRejected(
            f"member name {shown(path)} has a part longer than {MAX_NAME_BYTES} bytes", rule=f"{kind}.name_invalid"
        )


def check_distinct(files: pa.ChunkedArray, folders: Iterable[str], kind: str) -> None:
    """UploadRejected when two names are one, also under NFC and case folding, or when a file is a folder of another.

    Not every file system tells `A.jpg` from `a.jpg`; an upload that needs that could not be exported everywhere.
    """
    _check_names(texts(_sharing_a_form(files)), kind)
    parents = {path.rpartition("/")[0] for path in texts(files)}
    parents.update(folders)
    both = pc.index_in(pa.array(_with_ancestors(parents), pa.large_string()), files).drop_null()
    if len(both):
        raise UploadRejected(
            f"{shown(files[both[0].as_py()].as_py())} is both a file and a folder", rule=f"{kind}.duplicate_name"
        )


def _sharing_a_form(files: pa.ChunkedArray) -> pa.ChunkedArray:
    """Those of the names, in their order, that are not the only ones of their form: hardly ever any."""
    forms = pa.chunked_array([_forms(names) for names in batches(files)], pa.large_string())
    if pc.count_distinct(forms).as_py() == len(forms):
        return files.slice(0, 0)
    counts = pc.value_counts(forms)
    several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    return files.filter(pc.is_in(forms, several))


def _forms(names: pa.Array) -> pa.Array:
    """What names have in common that some file system takes for one: folded, NFC."""
    if pc.all(pc.string_is_ascii(names), min_count=0).as_py():
        return pc.ascii_lower(names)
    return pa.array([nfc(name.casefold()) for name in names.to_pylist()], pa.large_string())


def _check_names(files: Iterable[str], kind: str) -> None:
    exact: set[str] = set()
    folded: dict[str, str] = {}
    for path in files:
        if path in exact:
            raise UploadRejected(f"two members are named {shown(path)}", rule=f"{kind}.duplicate_name")
        exact.add(path)
        other = folded.setdefault(nfc(path.casefold()), path)
        if other is not path:
            raise UploadRejected(
                f"{shown(other)} and {shown(path)} differ only in case or Unicode form",
                hint="rename one of them",
                rule=f"{kind}.case_collision",
            )


def _with_ancestors(folders: set[str]) -> set[str]:
    ancestors: set[str] = set()
    for folder in folders:
        while folder and folder not in ancestors:
            ancestors.add(folder)
            folder = folder.rpartition("/")[0]
    return ancestors


def _odd(path: str, kind: str) -> UploadRejected:
    name = shown(path)
    if _CONTROL.search(path):
        return UploadRejected(
            f"member name {name} holds a control character or is not Unicode", rule=f"{kind}.name_invalid"
        )
    if "\\" in path:
        return UploadRejected(
            f"member name {name} holds a backslash; folders are separated by '/'",
            hint=_BACKSLASH_IN_ZIP if kind == "archive" else "rename it without backslashes",
            rule=f"{kind}.path_escape",
        )
    if path.startswith("/") or _DRIVE.search(path) or ".." in path.split("/"):
        return UploadRejected(
            f"member name {name} leaves the upload: absolute paths, drives and '..' are not allowed",
            rule=f"{kind}.path_escape",
        )
    return UploadRejected(f"member name {name} has an empty part or a '.'", rule=f"{kind}.name_invalid")

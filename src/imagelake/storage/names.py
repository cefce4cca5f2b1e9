"""What a name inside an upload may look like. Nothing is repaired: a name that breaks a rule refuses the upload."""

from __future__ import annotations

import re
from collections.abc import Iterable

from imagelake.digest import nfc
from imagelake.errors import UploadRejected

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


def check_distinct(files: Iterable[str], folders: Iterable[str], kind: str) -> None:
    """UploadRejected when two names are one, also under NFC and case folding, or when a file is a folder of another.

    Not every file system tells `A.jpg` from `a.jpg`; an upload that needs that could not be exported everywhere.
    """
    exact: set[str] = set()
    folded: dict[str, str] = {}
    parents: set[str] = set()
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
        parents.add(path.rpartition("/")[0])
    parents.update(folders)
    for folder in _with_ancestors(parents):
        if folder in exact:
            raise UploadRejected(f"{shown(folder)} is both a file and a folder", rule=f"{kind}.duplicate_name")


def _with_ancestors(folders: set[str]) -> set[str]:
    found: set[str] = set()
    for folder in folders:
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


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

"""Which image a YOLO label file belongs to: the one beside it or parallel to it, else the only one of its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from imagelake.core.upload_paths import folder_split, is_dataset_image, is_role_folder
from imagelake.formats.paths import LABEL_FOLDERS, ancestors, folder_of
from imagelake.formats.small_documents import stem

_DOCUMENT_FOLDERS = LABEL_FOLDERS | {"annotations", "annotation"}


class YoloImages:
    """The images of a tree, masks left out: `files`, their paths, `folders` that hold some at any depth, `homes`.

    documents: label files, whose images may come another time: `folders` and `holds` count those images too.
    """

    def __init__(self, paths: Iterable[str], documents: Iterable[str] = ()) -> None:
        self.files = frozenset(path for path in paths if is_dataset_image(path))
        self._expected = frozenset(map(image_file, documents))
        self.folders = _folders(self.files) | _folders(self._expected)
        self._bare = frozenset(path.rpartition(".")[0] for path in self.files)
        self._by_place: dict[str, str | None] = {}
        for path in self._bare:
            place = _place(path)
            self._by_place[place] = None if place in self._by_place else path
        names = Counter(path.rpartition("/")[2] for path in self._bare)
        self.homes = frozenset(home(folder) for folder in {folder_of(path) for path in self.files})
        self._by_name = {name: path for path in self._bare if names[name := path.rpartition("/")[2]] == 1}

    def of(self, document: str) -> str | None:
        """The image beside a label file or parallel to it, without its suffix; None when there is none."""
        for path in (image_file(document), document.rpartition(".")[0]):
            if path in self._bare:
                return path
        if any(folder.lower() in _DOCUMENT_FOLDERS for folder in document.split("/")[:-1]):
            return self._by_place.get(_place(document.rpartition(".")[0]))
        return None

    def holds(self, path: str) -> bool:
        """Whether there is an image at this path, or one is expected, with or without its suffix."""
        return path in self.files or path in self._bare or path.rpartition(".")[0] in self._expected

    def bare(self, name: str) -> str:
        """The image a name stands for, without its suffix: at this path, else the only one of the name."""
        path = name.rpartition(".")[0] if name in self.files else name
        return path if path in self._bare else self._by_name.get(stem(name), self._by_name.get(name, path))

    def has_name(self, name: str) -> bool:
        """Whether a name with or without suffix is that of exactly one image, wherever it lies."""
        return name in self._by_name or stem(name) in self._by_name

    def mates(self, documents: Sequence[str]) -> Mapping[str, str]:
        """The image of each label file, without its suffix: one that lies elsewhere where no other has the name."""
        names = Counter(stem(document) for document in documents)
        return {document: self._mate(document, names) for document in documents}

    def _mate(self, document: str, names: Mapping[str, int]) -> str:
        name = stem(document)
        elsewhere = self._by_name.get(name) if names[name] == 1 else None
        return self.of(document) or elsewhere or image_file(document)


def image_file(document: str) -> str:
    """The path of a label file's image without its suffix: `train/labels/a.txt` is of `train/images/a`."""
    *folders, name = document.split("/")
    for place in range(len(folders) - 1, -1, -1):
        if folders[place].lower() in LABEL_FOLDERS:
            folders[place] = "images"
            break
    return "/".join([*folders, name.rpartition(".")[0]])


def home(folder: str) -> str:
    """The export a folder belongs to: its path without the folders that name a split, images or labels."""
    return "/".join(part for part in folder.split("/") if not _is_telling(part))


def _is_telling(part: str) -> bool:
    return part.lower() in _DOCUMENT_FOLDERS or is_role_folder(part) or folder_split(part) is not None


def _place(path: str) -> str:
    """A path without suffix, in small letters, without the folders that tell label files from images."""
    *folders, name = path.split("/")
    telling = (f for f in folders if f.lower() not in _DOCUMENT_FOLDERS and not is_role_folder(f))
    return "/".join([*telling, name]).lower()


def _folders(files: Iterable[str]) -> frozenset[str]:
    own = {folder_of(path) for path in files}
    return frozenset(above for folder in own for above in ancestors(folder))

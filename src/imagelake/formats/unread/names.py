"""Names as signs of labels: how documents name the images of an upload, and how label files are named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from imagelake.core.digest import nfc
from imagelake.core.upload_paths import is_image_name
from imagelake.formats.small_documents import stem

MAYBE = "may hold labels; not supported yet"
"""Why a file is not read that is not certain to be labels."""

_BETWEEN_WORDS = re.compile(r"[^a-z0-9]+")
_LABEL_WORDS = frozenset(
    (
        *("annotation", "annotations", "annot", "annots", "anno", "annos", "label", "labels", "groundtruth", "gt"),
        *("bbox", "bboxes", "boxes", "instances", "captions", "caption", "token", "attr", "attributes", "coco"),
    )
)
_PLAIN_WORDS = frozenset(
    (
        *("submission", "samplesubmission", "geo", "gps", "gcp", "exif", "poses", "pose", "camera", "cameras"),
        *("timestamps", "times", "attribution", "attributions", "sources", "urls", "url", "links", "checksums"),
        *("md5", "md5sums", "sha1", "sha256", "sha256sums", "sizes", "log", "files", "index", "download", "downloads"),
        *("filelist", "contents", "inventory", "dimensions", "resolutions", "md5sum", "sha1sum", "sha256sum", "crc"),
    )
)
"""Words in the names of files that say something about pictures and hold no labels."""

_LABEL_START = re.compile(r"^(?:gt|label|labels|anno|ann)[-_]", re.IGNORECASE)
_LABEL_END = re.compile(r"[-_](?:gt|label|labels|anno|ann|annotation|bbox|boxes)$", re.IGNORECASE)

_LEAST_LETTERS, _LEAST_DIGITS = 3, 4


@dataclass(frozen=True)
class ImageNames:
    """The names of the images of an upload, in small letters: with and without suffix, without their folders."""

    files: frozenset[str]
    stems: frozenset[str]

    @classmethod
    def of(cls, paths: Iterable[str]) -> ImageNames:
        """The names of those of the paths that are images."""
        files = frozenset(path[path.rfind("/") + 1 :].lower() for path in paths if is_image_name(path))
        return cls(files, frozenset(map(stem, files)))

    def has_file(self, written: str) -> bool:
        """Whether a document names an image of the upload, with its suffix; the folders need not be those here."""
        return _last(written) in self.files

    def has_stem(self, written: str) -> bool:
        """Whether a document names an image of the upload without its suffix."""
        return _last(written) in self.stems


def is_telling(written: str) -> bool:
    """Whether a name without suffix is hardly anything else: `n01_7` and `000123`, but not `a` or `12`."""
    name = _last(written)
    return len(name) >= (_LEAST_DIGITS if name.isdecimal() else _LEAST_LETTERS)


def label_of(name: str) -> str | None:
    """The name without the word that says labels at its beginning or end: `img_1` of `gt_img_1`; None without one."""
    bare = _LABEL_END.sub("", _LABEL_START.sub("", name))
    return None if bare == name else bare


def says_labels(path: str) -> bool:
    """Whether the name of a file, or of the folder it lies in, is one that label files have."""
    folder, _, name = path.rpartition("/")
    words = {*words_of(name), *words_of(folder.rpartition("/")[2])}
    return not words.isdisjoint(_LABEL_WORDS)


def says_no_labels(path: str) -> bool:
    """Whether the name of a file is one of those that hold other things about pictures: geo.txt, checksums.txt."""
    return not set(words_of(path.rpartition("/")[2])).isdisjoint(_PLAIN_WORDS)


def words_of(name: str) -> list[str]:
    """The words of a name, in small letters."""
    return [word for word in _BETWEEN_WORDS.split(name.lower()) if word]


def _last(written: str) -> str:
    return nfc(written).strip().replace("\\", "/").rpartition("/")[2].lower()

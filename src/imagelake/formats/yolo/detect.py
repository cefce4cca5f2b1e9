"""Is an upload a YOLO data set? Every text file that may hold labels is looked at, and taken, left, or named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from imagelake.formats.base import Tree, Unread
from imagelake.formats.lists.members import list_split
from imagelake.formats.paths import folder_of, in_label_folder
from imagelake.formats.refused import shown
from imagelake.formats.small_documents import stem
from imagelake.formats.yolo.columns import DOTA, KITTI, POSE, PREDICTIONS, REASONS, TRACKS
from imagelake.formats.yolo.images import YoloImages, home
from imagelake.formats.yolo.look import Evidence, TextOutline, looks
from imagelake.formats.yolo.names import is_class_list, name_documents
from imagelake.formats.yolo.scopes import ClassList, Scopes, class_lists
from imagelake.formats.yolo.splits import SplitSources, splits

NAMED_SCORE, BARE_SCORE, EMPTY_SCORE = 90, 70, 60

_OTHER_TEXTS = ("readme", "license", "licence", "requirements", "classes", "notice", "changelog", "trainval")
_OTHER_KINDS = frozenset((POSE, PREDICTIONS, TRACKS, DOTA, KITTI))
"""Kinds of labels; what else is not read are defects of rows, each of which is refused by itself."""

_MOT_NAMES = ("gt.txt", "det.txt")
MOT = "MOT"
_TEXT, _LISTED_BOXES = "text beside images", "image list with boxes"
_TEXT_REASON = "no line is a class number and shares of the image"
_MAX_LACKS = 3


@dataclass(frozen=True)
class TextSurvey:
    """The texts of an upload: what each looks like, which documents declare names or splits, which widths are poses.

    `looks` is None for a damaged file, and has no entry for one beyond the budget.
    """

    images: YoloImages
    texts: Sequence[str]
    looks: dict[str, TextOutline | None]
    lists: Sequence[ClassList]
    meta: tuple[str, ...]
    splits: SplitSources
    other_widths: dict[int, str]

    def is_labels(self, path: str) -> bool:
        """Whether a file holds label rows, by its place and what is in sight of it."""
        look = self.looks.get(path)
        if look is None or self.kind(path) is not None:
            return False
        if self.images.of(path) is not None:
            return look.sound > 0
        return look.is_sound or (self.has_names and look.sound > 0)

    def kind(self, path: str) -> str | None:
        """The kind of labels a file holds that are not read; None when it may be read."""
        look = self.looks.get(path)
        if look is None:
            return None
        by_width = next((kind for width, kind in self.other_widths.items() if width in look.widths), None)
        return by_width or look.unread_kind

    @property
    def has_names(self) -> bool:
        """Whether a document may declare classes."""
        return any(c.classes is None or c.classes.names for c in self.lists)


def look_over(tree: Tree) -> TextSurvey:
    """Look at the texts of a tree."""
    evidence = Evidence()
    texts = [path for path in tree.paths if path.lower().endswith(".txt")]
    images = YoloImages(tree.paths, filter(in_label_folder, texts))
    by_path = looks(tree, texts, evidence)
    is_labels = {path for path in texts if _is_label_file(path, images, by_path.get(path))}
    declaring = [path for path in name_documents(tree) if path not in is_labels]
    lists = class_lists(tree, declaring)
    idle = {c.path for c in lists if c.classes is not None and not c.classes.names and not c.classes.splits}
    declaring = [path for path in declaring if path not in idle]
    listed = [path for path in texts if path not in is_labels and _is_list(path, images, by_path.get(path))]
    declared = {c.path: c.classes for c in lists if c.classes is not None}
    declared_splits = splits(declared, images, listed)
    meta = (*declaring, *sorted(declared_splits.lists))
    in_meta = frozenset(meta)
    rest = [path for path in texts if path not in in_meta and _may_hold_labels(path, images, by_path.get(path))]
    return TextSurvey(images, rest, by_path, lists, meta, declared_splits, evidence.kinds())


def with_keypoints(survey: TextSurvey, documents: Sequence[str]) -> frozenset[str]:
    """Those of the label files that hold nothing but rows with the keypoints their data.yaml declares."""
    if not any(c.classes is not None and c.classes.keypoints for c in survey.lists):
        return frozenset()
    mates = survey.images.mates(documents)
    scopes = scopes_of(survey.lists, survey.splits, survey.images, mates)
    sources = {path: scopes.of(path, image) for path, image in mates.items()}
    return frozenset(
        path
        for path, look in survey.looks.items()
        if look is not None
        and path in sources
        and any(c.classes is not None and c.classes.keypoints for c in sources[path])
        and look.rows
        and not look.boxes
    )


def scopes_of(
    lists: Sequence[ClassList], declared: SplitSources, images: YoloImages, documents: Iterable[str]
) -> Scopes:
    """Which of the class lists serve which label files."""
    folders = {folder_of(path) for path in documents}
    return Scopes(lists, declared.covers, {*images.homes, *map(home, folders)})


def documents(survey: TextSurvey) -> list[str]:
    """The label files: those with rows, and of the others those that lie where label files do."""
    folders = {folder_of(path) for path in survey.texts if survey.is_labels(path)}
    return [path for path in survey.texts if _is_document(survey, path, folders)]


def unread(survey: TextSurvey, others: frozenset[str], *, is_read: bool) -> Iterator[Unread]:
    """The files that look like labels and are not read.

    others: those with keypoints; is_read: the upload has label files that are, so that defective ones are among them.
    """
    for path, look in survey.looks.items():
        if look is not None and look.names_with_boxes and 2 * look.names_with_boxes >= look.total:
            yield Unread(path, _LISTED_BOXES, "lists of images with boxes in pixels are not supported yet")
            continue
        if look is not None and look.unread_kind is not None and _base(path) in _MOT_NAMES:
            yield Unread(path, MOT, "rows of frame, track and box are not supported yet")
    for path in survey.texts:
        look, kind = survey.looks.get(path), POSE if path in others else survey.kind(path)
        if look is None or look.is_empty or not _is_placed(survey, path, look):
            continue
        if kind in _OTHER_KINDS:
            yield Unread(path, str(kind), REASONS[str(kind)])
        elif not is_read and look.problem:
            yield Unread(path, "YOLO", look.problem)
        elif not is_read:
            kind = kind if look.rows and kind is not None else _TEXT
            yield Unread(path, kind, f"{shown(look.first)}: {REASONS.get(kind, _TEXT_REASON)}")


def lacks(survey: TextSurvey) -> tuple[str, ...]:
    """The reasons no text is a label file."""
    firsts = ((path, look.first) for path in survey.texts if (look := survey.looks.get(path)) is not None)
    reasons = [f"{path}: {shown(first)} is no row of a class and shares" for path, first in firsts if first]
    return tuple(reasons[:_MAX_LACKS]) or ("no .txt file with label rows",)


def _base(path: str) -> str:
    return path.rpartition("/")[2].lower()


def _is_document(survey: TextSurvey, path: str, folders: set[str]) -> bool:
    """Whether a file is read as labels. folders: those with files that certainly are."""
    look = survey.looks.get(path)
    is_damaged = path in survey.looks and look is None
    if survey.kind(path) in _OTHER_KINDS:
        return False
    if survey.images.of(path) is not None:
        return True
    if in_label_folder(path):
        return look is None or look.is_empty or look.rows > 0 or bool(look.problem)
    is_other = is_damaged or (look is not None and not look.is_empty and not look.rows)
    return not is_other and folder_of(path) in folders


def _is_placed(survey: TextSurvey, path: str, look: TextOutline) -> bool:
    """Whether a file lies where label files do, or has rows and the name of an image."""
    if survey.images.of(path) is not None:
        return True
    return (look.rows > 0 or bool(look.problem)) and (in_label_folder(path) or survey.images.has_name(stem(path)))


def _is_label_file(path: str, images: YoloImages, look: TextOutline | None) -> bool:
    """Whether a file named like a list is the label file of an image: `train.txt` of `train.jpg` with rows."""
    if look is None or not (look.sound or look.is_empty):
        return False
    return images.of(path) is not None or (in_label_folder(path) and look.sound > 0)


def _is_list(path: str, images: YoloImages, look: TextOutline | None) -> bool:
    """Whether a file lists images, by name or, where it is called like a split, by stem; or cannot be read and may."""
    if look is None or look.is_sound or is_class_list(path):
        return False
    if look.problem:
        return list_split(path) is not None and images.of(path) is None and not in_label_folder(path)
    return look.is_image_list or (list_split(path) is not None and images.has_name(look.first.rpartition("/")[2]))


def _may_hold_labels(path: str, images: YoloImages, look: TextOutline | None) -> bool:
    """Whether a file may hold labels: where label files lie any with rows, else by its name.

    Lists of files or classes hold none, nor does what goes with any repository.
    """
    name = path[path.rfind("/") + 1 :].lower()
    is_other = name.partition(".")[0] in _OTHER_TEXTS or is_class_list(path)
    if images.of(path) is not None:
        return not is_other or (look is not None and (look.is_empty or look.rows > 0))
    if in_label_folder(path):
        return not is_other
    return not is_other and (list_split(path) is None or (look is not None and look.is_sound))

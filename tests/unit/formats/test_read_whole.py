"""Any upload of the four formats is read whole, whatever lies around it, or every label file that is not is named."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.core.upload_paths import is_dataset_image, is_junk, take_apart, wrapper_folder
from imagelake.errors import UploadRejected
from imagelake.formats import reader
from imagelake.formats.detect import choose
from imagelake.formats.records import AnnotationRecord, ImageRecord, Issue
from imagelake.formats.trees import DictTree

STEMS = (
    "1",
    "train",
    "test",
    "license",
    "readme",
    "classes",
    "v1.0",
    "photo.webp",
    "IMG 1",
    "名前",
    "notice.1",
    "val_7",
)
SUFFIXES = (".jpg", ".JPG", ".png", ".jpeg", ".bmp")
SPLITS = {
    "train": ("train", "training", "train2017", "training_set", "Train"),
    "val": ("val", "valid", "validation", "val-images"),
    "test": ("test", "testing", "test set"),
}
WRAPPERS = ("", "pets/", "pets v2.0/", "pets/pets/")
PAPERS = ("README.md", "LICENSE", "CHANGELOG.txt", "CITATION.cff")
JUNK = (".DS_Store", "__MACOSX/._a.jpg", ".ipynb_checkpoints/1-checkpoint.txt", "Thumbs.db", "@eaDir/1.jpg")
OTHERS = {
    "a.json": json.dumps({"shapes": [], "imagePath": "a.jpg", "version": "5"}).encode(),
    "boxes.csv": b"filename,class,xmin,ymin,xmax,ymax\na.jpg,cat,1,1,2,2\n",
    "cvat.xml": b"<annotations><version>1.1</version></annotations>",
    "rows.txt": b"a.jpg 1 2 3 4\nb.jpg 5 6 7 8\n",
    "annotations.csv": b"",
    "gt.mat": b"MATLAB",
    "metadata.jsonl": b'{"file_name": "a.jpg", "label": 1}',
}


@dataclass
class Made:
    """An upload in the making: its files, how many labels each label file has, and the split of each image."""

    files: dict[str, bytes] = field(default_factory=dict)
    labels: Counter[str] = field(default_factory=Counter)
    splits: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A picture: its stem and suffix, the folder of its split, that split, and how many labels it has."""

    stem: str
    suffix: str
    folder: str
    split: str | None
    labels: int

    @property
    def name(self) -> str:
        return self.stem + self.suffix


def coco(pictures: list[Picture]) -> Made:
    made = Made()
    for folder in sorted({p.folder for p in pictures}):
        own = [p for p in pictures if p.folder == folder]
        document = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
        for number, p in enumerate(own):
            made.files[f"{folder}{p.name}"] = b""
            made.splits[f"{folder}{p.name}"] = p.split
            document["images"].append({"id": number, "file_name": p.name, "width": 9, "height": 9})
            box = {"image_id": number, "category_id": 1, "bbox": [1, 1, 2, 2]}
            document["annotations"] += [{"id": len(document["annotations"]), **box} for _ in range(p.labels)]
        made.files[f"{folder}_annotations.coco.json"] = json.dumps(document).encode()
        made.labels[f"{folder}_annotations.coco.json"] = sum(p.labels for p in own)
    return made


def voc(pictures: list[Picture]) -> Made:
    made = Made()
    box = "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></object>"
    for p in pictures:
        made.files[f"{p.folder}JPEGImages/{p.name}"] = b""
        made.splits[f"{p.folder}JPEGImages/{p.name}"] = p.split
        path = f"{p.folder}Annotations/{p.stem}.xml"
        made.files[path] = f"<annotation><filename>{p.name}</filename>{box * p.labels}</annotation>".encode()
        made.labels[path] = p.labels
    return made


def yolo(pictures: list[Picture]) -> Made:
    made = Made({"data.yaml": b"names: [cat, dog]\n"})
    for p in pictures:
        made.files[f"{p.folder}images/{p.name}"] = b""
        made.splits[f"{p.folder}images/{p.name}"] = p.split
        made.files[f"{p.folder}labels/{p.stem}.txt"] = b"1 0.5 0.5 0.25 0.25\n" * p.labels
        made.labels[f"{p.folder}labels/{p.stem}.txt"] = p.labels
    return made


def class_folders(pictures: list[Picture]) -> Made:
    made = Made()
    for number, p in enumerate(pictures):
        path = f"{p.folder}{('cats', 'dogs')[number % 2]}/{p.name}"
        made.files[path] = b""
        made.splits[path] = p.split
        made.labels[path] = 1
    return made


@st.composite
def pictures(draw: st.DrawFn) -> list[Picture]:
    """Two to six pictures of different stems, all in folders of splits or none of them."""
    stems = draw(st.lists(st.sampled_from(STEMS), min_size=2, max_size=6, unique=True))
    split = draw(st.booleans())
    words = {name: draw(st.sampled_from(words)) for name, words in SPLITS.items()}
    chosen = [draw(st.sampled_from(sorted(SPLITS))) if split else None for _ in stems]
    return [
        Picture(
            stem,
            draw(st.sampled_from(SUFFIXES)),
            f"{words[name]}/" if name else "",
            name,
            draw(st.integers(1, 3)),
        )
        for stem, name in zip(stems, chosen, strict=True)
    ]


FORMATS: dict[str, Callable[[list[Picture]], Made]] = {
    "coco": coco, "voc": voc, "yolo": yolo, "imagefolder": class_folders,
}  # fmt: skip


def delivered(made: Made, wrapper: str, beside: dict[str, bytes]) -> DictTree:
    """The upload as a reader sees it: junk left out, the wrapper folder stripped."""
    files = {f"{wrapper}{path}": data for path, data in made.files.items()} | beside
    kept = {path: data for path, data in files.items() if not is_junk(path)}
    stripped = wrapper_folder(list(kept))
    return DictTree({path.removeprefix(stripped): data for path, data in kept.items()})


def labels_read(tree: DictTree) -> tuple[Counter[str], set[str], dict[str, str]]:
    """How many labels each file gave, the files that are named as not read, and splits that records give to images."""
    try:
        choice = choose(tree, None)
    except UploadRejected as problem:
        return Counter(), {path for path in tree.paths if path in problem.message}, {}
    counts: Counter[str] = Counter()
    named = {file.path for file in choice.unread}
    splits = {}
    used = reader(choice.reader)
    for unit in used.plan(tree, choice.detection):
        for record in used.parse(unit, tree.read):
            if isinstance(record, AnnotationRecord):
                counts[record.document or record.image_ref] += 1
            if isinstance(record, Issue):
                named.add(record.document)
            if isinstance(record, ImageRecord) and record.split:
                splits[record.file] = record.split
    return counts, named, splits


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(sorted(FORMATS)),
    pictures(),
    st.sampled_from(WRAPPERS),
    st.lists(st.sampled_from(PAPERS), unique=True),
    st.lists(st.sampled_from(JUNK), unique=True),
    st.lists(st.sampled_from(sorted(OTHERS)), max_size=2, unique=True),
)
def test_every_label_is_read_or_its_file_is_named(
    form: str, chosen: list[Picture], wrapper: str, papers: list[str], junk: list[str], others: list[str]
) -> None:
    made = FORMATS[form](chosen)
    beside = dict.fromkeys(papers, b"text") | {f"{wrapper}{name}": b"x" for name in junk}
    beside |= {f"{wrapper}{name}": OTHERS[name] for name in others}
    tree = delivered(made, wrapper, beside)
    counts, named, splits = labels_read(tree)
    for path, count in made.labels.items():
        assert counts[path] == count or path in named or set(others) <= named
    assert set(others) <= named
    if not others:
        assert counts == +made.labels
        for path, split in made.splits.items():
            assert (splits.get(path) or take_apart(path).split) == split


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(sorted(FORMATS)),
    pictures(),
    st.sampled_from(WRAPPERS),
    st.lists(st.sampled_from(PAPERS), unique=True),
)
def test_keys_do_not_depend_on_wrapper_and_papers(
    form: str, chosen: list[Picture], wrapper: str, papers: list[str]
) -> None:
    made = FORMATS[form](chosen)
    plain, wrapped = (delivered(made, w, dict.fromkeys(p, b"text")) for w, p in (("", []), (wrapper, papers)))
    keys = [{take_apart(path).key for path in tree.paths if is_dataset_image(path)} for tree in (plain, wrapped)]
    assert keys[0] == keys[1]

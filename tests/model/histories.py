"""Random histories of a dataset: one seed, the same steps. Names, bytes and folders are few, so that they meet."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.model.draft import Settings
from tests.model.uploads import Document, Entry, File, Image, Label, Lines, Other, Upload, take_apart
from tests.model.zips import CRC, CUT, picture, suffix_of

SIZES = ((40, 30), (30, 40), (36, 36))
NAMES = ("1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg")
FOLDERS = {
    "flat": ("images/", ""),
    "cameras": ("cam1/", "cam2/", "images/cam1/"),
    "splits": ("train/", "val/", "train/images/", "images/test/"),
    "mixed": ("", "images/", "images/copy/", "train/", "cam1/", "cam2/", "images/train/"),
}
DOCUMENTS = {
    "flat": ("labels.json", "annotations/b.json"),
    "cameras": ("cam1/labels.json", "cam2/labels.json", "labels.json"),
    "splits": ("train/_annotations.coco.json", "val/_annotations.coco.json", "annotations/instances_train2017.json"),
    "mixed": ("labels.json", "train/labels.json", "cam1/labels.json", "instances_val.json"),
}
CLASSES = ("cat", "dog", "bird")
_FORCED = 0.3
"""So often a publish is forced; the gate refuses few."""

_MOVED = 0.2
"""So often bytes are moved after a step."""

SHARES = (
    (("train", 0.8), ("val", 0.1), ("test", 0.1)),
    (("train", 0.5), ("val", 0.5)),
    (("train", 0.34), ("val", 0.33), ("test", 0.33)),
)


@dataclass(frozen=True)
class Step:
    """One command, and at which boundary it is killed and given again (0: not)."""

    verb: str
    uploads: tuple[Upload, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    kill_at: int = 0

    def __str__(self) -> str:
        lines = [f"{self.verb} {self.options or ''}" + (f" killed at boundary {self.kill_at}" if self.kill_at else "")]
        for upload in self.uploads:
            lines.append(f"  {upload.source} --mode {upload.mode}{' --again' if upload.again else ''}")
            lines += [f"    {path}: {_shown(file)}" for path, file in upload.files]
        return "\n".join(lines)


def _shown(file: File) -> str:
    if isinstance(file, Image):
        turned = f" turned {file.orientation}" if file.orientation != 1 else ""
        return f"{file.content[:6]} {file.width}x{file.height}{turned} {file.problem or ''}"
    return str(file)


def history(seed: int, steps: int = 6, *, plain: bool = False) -> list[Step]:
    """The steps of a history; a plain one has new images in one folder, and sound boxes in one document."""
    return _Maker(random.Random(seed), plain).steps(steps)


class _Maker:
    def __init__(self, rng: random.Random, plain: bool) -> None:
        self.rng, self.plain = rng, plain
        self.more = random.Random(repr(rng.getstate()))  # what came later leaves the seeds as they were
        self.past: list[Upload] = []
        self.fresh = 0
        self.kills = rng.random() < 0.4

    def steps(self, count: int) -> list[Step]:
        open_gate = Step("settings", options={"settings": Settings(max_rejected=1.0)})
        steps = [open_gate] if not self.plain and self._often(0.7) else []
        steps.append(self._night() if self._often(0.3) else self._run())
        while len(steps) < count:
            steps.append(self._step())
        steps = [self._killed(s) if self.kills and self._often(0.4) else s for s in steps]
        return [step for s in steps for step in (s, *self._moves())]

    def _moves(self) -> Sequence[Step]:
        """Now and then bytes move: into packages, or each into an object of its own."""
        if self.more.random() >= _MOVED:
            return ()
        kill_at = self.more.randint(1, 3) if self.kills and self.more.random() < 0.4 else 0
        return (Step("move", options={"storage": self.more.choice(("packages", "objects"))}, kill_at=kill_at),)

    def _step(self) -> Step:
        if self.plain:
            return self._choose(
                self._run,
                self._night,
                self._repeat,
                self._publish,
                self._recipe,
                self._remove,
                self._save,
                self._settings,
            )
        return self._choose(
            *[self._run] * 5, *[self._night] * 4, *[self._repeat] * 3, *[self._publish] * 2, self._recipe,
            self._remove, self._rebuild, self._settings, *[self._save] * 2,
        )  # fmt: skip

    def _choose(self, *makers: Any) -> Step:
        made: Step = self.rng.choice(makers)()
        return made

    def _often(self, share: float) -> bool:
        return self.rng.random() < share

    def _killed(self, step: Step) -> Step:
        killable = step.verb in ("run", "landing", "publish", "remove", "build")
        return replace(step, kill_at=self.rng.randint(1, 22)) if killable else step

    def _run(self) -> Step:
        return Step("run", (self._upload(),))

    def _night(self) -> Step:
        uploads = [self._upload() for _ in range(self.rng.randint(1, 4))]
        if self.past and not self.plain and self._often(0.3):
            uploads.append(replace(self.rng.choice(self.past), again=False))
        named = [replace(u, source=f"{n}-{u.source}") for n, u in enumerate(uploads)]
        return Step("landing", tuple(named))

    def _repeat(self) -> Step:
        """An upload of before, as it was, under --again, in another mode, or corrected under its old name."""
        old = self.rng.choice(self.past)
        how = self.rng.choice(("same",) if self.plain else ("same", "same", "again", "mode", "corrected"))
        if how == "again":
            old = replace(old, again=True)
        if how == "mode":
            old = replace(old, mode=self._mode(), again=False)
        if how == "corrected":
            corrected = self._upload()
            return Step("run", (replace(corrected, source=_named(old.source, corrected), mode=old.mode),))
        return Step("run", (old,))

    def _publish(self) -> Step:
        options: dict[str, Any] = {}
        if not self.plain and self._often(0.3):
            options["split"] = self.rng.choice(SHARES)
        if not self.plain and self._often(0.2):
            options["group_by"] = "patient"
        if not self.plain and self._often(0.2):
            options["stratify"] = True
        if self._often(0.3):
            options["alias"] = self.rng.choice(("best", "stable"))
        if not self.plain and self.more.random() < _FORCED:
            options["force"] = True
        return Step("publish", options=options)

    def _recipe(self) -> Step:
        options: dict[str, Any] = {"pick": self.rng.randrange(5), "split": self.rng.choice(SHARES)}
        if not self.plain and self._often(0.3):
            options["stratify"] = True
        if self._often(0.3):
            options["alias"] = "best"
        return Step("recipe", options=options)

    def _remove(self) -> Step:
        return Step("remove", options={"picks": [self.rng.randrange(20) for _ in range(self.rng.randint(1, 3))]})

    def _rebuild(self) -> Step:
        return Step("build", options={"pick": self.rng.randrange(20)})

    def _settings(self) -> Step:
        rejecting = self.rng.choice(((), ("annotation.box_clipped",), ("annotation.duplicate",)))
        if self.plain:
            return Step("settings", options={"settings": Settings(auto=True)})
        settings = Settings(
            severities=tuple((rule, self.more.choice(("quarantine", "quarantine", "reject"))) for rule in rejecting),
            auto=self._often(0.5),
            match_by_name=self._often(0.3),
            unlisted="reject" if self._often(0.3) else "keep",
            fractions=self.rng.choice(SHARES),
            stratify=self._often(0.2),
            seed=self.rng.randrange(2),
            max_rejected=self.rng.choice((0.5, 1.0, 1.0, 1.0)),
            max_unannotated=self.more.choice((0.4, *[1.0] * 5)),
            max_class_changes=self.more.choice((0, *[None] * 7)),
        )
        return Step("settings", options={"settings": settings})

    def _save(self) -> Step:
        kinds = self.rng.choice((("box",), ("polygon",), ("box", "polygon")))
        labels = tuple(
            Label(0, kind, self.rng.choice(CLASSES), self._shape(kind)) for kind in kinds if self._often(0.7)
        )
        return Step("save", options={"pick": self.rng.randrange(20), "kinds": kinds, "labels": labels})

    def _mode(self) -> str:
        return (
            "append" if self.plain else self.rng.choice(("append", "append", "append", "update", "update", "replace"))
        )

    def _upload(self) -> Upload:
        if self.plain:
            files = self._plain()
        else:
            maker = self.rng.choice((*[self._coco] * 6, self._devkit, self._class_folders, self._images_only))
            files = maker()
        upload = Upload(tuple(sorted(files.items())), "", self._mode())
        upload = replace(upload, source=_named(f"s{len(self.past)}", upload))
        self.past.append(upload)
        return upload

    def _picture(self, path: str, *, may_fail: bool = True) -> Image:
        """Mostly the same bytes under a name, at times other ones, turned or damaged."""
        rng, base = self.rng, NAMES.index(path.rpartition("/")[2]) if path.rpartition("/")[2] in NAMES else 0
        seed = base + (10 if "cam2" in path or "copy" in path else 0)
        orientation = 1
        if self._often(0.25):
            seed, orientation = rng.randrange(4) + 20, rng.choice((1, 1, 3, 6, 8))
        problem = rng.choice((CUT, CRC)) if may_fail and self._often(0.08) else None
        return picture(seed, SIZES[seed % 3], orientation, problem)

    def _coco(self) -> dict[str, File]:
        layout = self.rng.choice(tuple(FOLDERS))
        paths = [f + n for f in FOLDERS[layout] for n in NAMES]
        chosen = self.rng.sample(paths, self.rng.randint(2, min(8, len(paths))))
        files: dict[str, File] = {path: self._picture(path) for path in sorted(chosen)}
        documents = self.rng.sample(DOCUMENTS[layout], self.rng.randint(1, min(2, len(DOCUMENTS[layout]))))
        if self._often(0.25):
            files = {}
        for path in documents:
            broken = len(documents) > 1 and self._often(0.1)
            files[path] = Document(broken=True) if broken else self._document(path, sorted(chosen), paths, files)
        if len(files) > 1 and self._often(0.15):
            files["README.md"] = Other("hello", CRC if self._often(0.5) else None)
        return files

    def _document(self, path: str, chosen: Sequence[str], pool: Sequence[str], files: dict[str, File]) -> Document:
        rng = self.rng
        images = rng.sample(chosen, rng.randint(1, len(chosen)))
        if self._often(0.3):
            images += rng.sample(pool, 1)
        patients = self._often(0.4)
        entries = tuple(self._entry(path, image, files.get(image), patients) for image in images)
        categories = tuple(rng.sample(CLASSES, rng.randint(1, 3)))
        kinds = rng.choice((("box",), ("box",), ("polygon",), ("box", "polygon")))
        labels = [
            self._label(n, rng.choice(kinds), categories) for n in range(len(entries)) for _ in range(rng.randint(0, 2))
        ]
        if labels and self._often(0.1):
            labels[0] = replace(labels[0], entry=None)
        root = self._often(0.15)
        declared = [("animal", None)] if root else []
        declared += [(name, "animal" if root else None) for name in categories]
        return Document(entries, tuple(labels), tuple(declared))

    def _entry(self, document: str, image: str, file: File | None, patients: bool) -> Entry:
        parts, folder = take_apart(image), document.rpartition("/")[0]
        beside = image.removeprefix(f"{folder}/") if folder else image
        name = self.rng.choice(
            (image, image, parts.short, beside, image.rpartition("/")[2], parts.split_key, f"data/{image}")
        )
        if self._often(0.04):
            name = f"/home/ann/{image}"
        attributes = (("patient", self.rng.choice(("p1", "p2"))),) if patients else ()
        return Entry(name, self._declared(file), attributes)

    def _declared(self, file: File | None) -> tuple[int, int] | None:
        if not isinstance(file, Image) or self._often(0.3):
            return None
        size = (file.width, file.height)
        if self._often(0.05):
            return (size[0] + 1, size[1])
        return size[::-1] if file.orientation >= 5 and self._often(0.5) else size

    def _label(self, entry: int, kind: str, categories: Sequence[str]) -> Label:
        category: str | None = self.rng.choice(categories)
        shape: tuple[float, ...] | None = self._shape(kind)
        if self._often(0.15):
            bad = self.rng.choice(("class", "number", "flat", "outside", "overhang"))
            if bad == "class":
                category = None
            elif bad == "number" and kind == "box":
                shape = None
            elif kind == "box":
                shape = {"flat": (5, 5, 0, 4), "outside": (100, 5, 4, 4)}.get(bad, (20, 20, 30, 5))
        return Label(entry, kind, category, shape)  # type: ignore[arg-type]

    def _shape(self, kind: str) -> tuple[float, ...]:
        x, y = self.rng.randrange(12) / 2, self.rng.randrange(12) / 2
        w, h = self.rng.randint(1, 12), self.rng.randint(1, 12)
        return (x, y, w, h) if kind == "box" else (x, y, x + w, y, x, y + h)

    def _devkit(self) -> dict[str, File]:
        """A VOC development kit: images, masks of the same names, lists of splits."""
        names = self.rng.sample(NAMES, self.rng.randint(2, 4))
        files: dict[str, File] = {}
        for name in names:
            stem = name.partition(".")[0]
            image = self._picture(name, may_fail=False)
            files[f"JPEGImages/{name}"] = image
            if self._often(0.5):
                files[f"SegmentationClass/{stem}.png"] = image
            if self._often(0.8):
                labels = tuple(
                    Label(0, "box", self.rng.choice(CLASSES), (n + 1, 2, 5, 4 + n))
                    for n in range(self.rng.randint(0, 2))
                )
                files[f"Annotations/{stem}.xml"] = Document(
                    (Entry(name, (image.width, image.height)),), labels, form="voc"
                )
        if not any(isinstance(f, Document) for f in files.values()):
            files[f"Annotations/{names[0].partition('.')[0]}.xml"] = Document((Entry(names[0]),), form="voc")
        stems = [n.partition(".")[0] for n in names]
        for split in self.rng.sample(("train", "val", "test"), self.rng.randint(0, 2)):
            lines = [s for s in stems if self._often(0.5)] + (["77"] if self._often(0.2) else [])
            files[f"ImageSets/Main/{split}.txt"] = Lines(tuple(lines))
        return files

    def _class_folders(self) -> dict[str, File]:
        paths = [f"{s}{c}/{n}" for s in ("", "train/") for c in ("cat", "dog") for n in NAMES[:3]]
        return {p: self._picture(p, may_fail=False) for p in self.rng.sample(paths, self.rng.randint(2, 4))}

    def _images_only(self) -> dict[str, File]:
        return {n: self._picture(n) for n in self.rng.sample(NAMES, self.rng.randint(1, 4))}

    def _plain(self) -> dict[str, File]:
        count = self.rng.randint(2, 4)
        start, self.fresh = self.fresh, self.fresh + count
        names = [f"p{start + n:03d}.jpg" for n in range(count)]
        pictures = {name: picture(100 + start + n, SIZES[n % 3]) for n, name in enumerate(names)}
        entries = tuple(Entry(name, (image.width, image.height)) for name, image in pictures.items())
        labels = tuple(
            Label(n, "box", self.rng.choice(CLASSES), self._shape("box"))
            for n in range(count)
            for _ in range(self.rng.randint(0, 2))
        )
        document = Document(entries, labels, tuple((name, None) for name in CLASSES))
        return {"labels.json": document, **{f"images/{name}": image for name, image in pictures.items()}}


def _named(source: str, upload: Upload) -> str:
    """The source with the suffix that this upload needs."""
    return source.partition(".")[0] + suffix_of(upload)

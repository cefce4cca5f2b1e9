"""The executable model of the contract: one dataset, its verbs, and what each of them answers.

Read it as the specification: `Dataset.deliver` says what becomes of an upload that is new or came before, `publish`
what a version is. `draft` says what an upload does to images and labels, `matching` whose labels they are, `versions`
how images are split. No Spark, no Delta, nothing of the product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.model.delivery import Delivery
from tests.model.draft import Draft, Outcome, Refused, Settings, remove
from tests.model.uploads import Document, Entry, Label, Upload
from tests.model.versions import Content, Recipe, Version, assign, content_of, gate

USAGE, GATE, NOT_FOUND = 2, 4, 6
FIRST = 1


class Exit(Exception):
    """A verb ends with this exit code, and nothing has happened."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit {code}")
        self.code = code


@dataclass
class Delivered:
    """A delivery: its number, how it ended, its counts, and what it changed: units, and keys whose bytes it changed."""

    sequence: int
    upload: Upload | None
    state: str
    images: Counter[str] = field(default_factory=Counter)
    annotations: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    changed: frozenset[Any] = frozenset()

    @property
    def annotations_read(self) -> int:
        """How many annotations it brought."""
        return sum(self.annotations[fate] for fate in ("accepted", "unchanged", "rejected"))


@dataclass
class Dataset:
    """A dataset as its users know it."""

    settings: Settings = field(default_factory=Settings)
    draft: Draft = field(default_factory=Draft)
    deliveries: list[Delivered] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    saves: dict[str, Document] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    index: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Dataset:
        """A dataset of its own with the same past."""
        parts = (self.deliveries, self.versions, self.aliases, self.saves, self.published, self.index)
        return Dataset(self.settings, self.draft.copy(), *(type(part)(part) for part in parts))  # type: ignore[arg-type]

    def deliver(self, upload: Upload) -> Delivered:
        """An upload reaches the draft."""
        earlier = self._earlier(upload)
        if upload.again and earlier is not None and upload.mode == "append":
            upload = replace(upload, mode="update")
        sequence = len(self.deliveries) + 1
        work = Delivery(self.draft, upload, sequence, self.settings, self.published, self.index)
        try:
            out = work.apply()
        except Refused:
            return self._end(Delivered(sequence, upload, "rejected"))
        if earlier is not None:
            if out.draft.state() == self.draft.state():
                return self._end(self._as_before(earlier, sequence, upload, "unchanged"))
            later = {c for d in self.deliveries[earlier.sequence :] for c in d.changed}
            if upload.mode != "replace" and not upload.again and later & {*out.units, *out.keys}:
                return self._end(self._as_before(earlier, sequence, upload, "superseded"))
        return self._apply(Delivered(sequence, upload, "built"), out)

    def remove(self, keys: Sequence[str], ignore_missing: bool = False) -> Delivered | None:
        """Images leave the draft; None when none is named."""
        if not ignore_missing and set(keys) - self.draft.images.keys():
            raise Exit(NOT_FOUND)
        there = set(keys) & self.draft.images.keys()
        if not there:
            return None
        return self._apply(Delivered(len(self.deliveries) + 1, None, "built"), remove(self.draft, there))

    def save(self, key: str, kinds: tuple[str, ...], labels: tuple[Label, ...]) -> None:
        """A tool saves all labels of some kinds of an image of the draft; other kinds that wait stay as they are."""
        before, row = self.saves.get(key, Document()), self.draft.images[key]
        carried = tuple(kind for kind in before.kinds if kind not in kinds)
        older = tuple(label for label in before.labels if label.kind in carried)
        entry = Entry(key, (row.width, row.height))
        self.saves[key] = Document((entry,), (*labels, *older), form="save", kinds=tuple(sorted((*kinds, *carried))))

    def fold_saves(self) -> Delivered | None:
        """The saves that wait become a delivery of their own."""
        if not self.saves:
            return None
        number = len(self.deliveries) + 1  # no two saves have one name
        files = tuple((f"save-{number}-{n}.json", save) for n, save in enumerate(self.saves.values()))
        self.saves = {}
        return self.deliver(Upload(files, "labels"))

    def publish(
        self, fractions: tuple[tuple[str, float], ...] | None = None, group_by: str | None = None,
        stratify: bool = False, alias: str | None = None,
    ) -> tuple[str, str | None]:  # fmt: skip
        """The draft becomes the next version, where it differs from the last: status and version."""
        content, last = content_of(self.draft), self._last()
        self._check_options(fractions, group_by, stratify)
        if last is not None and not self.differs():
            return self._named(last, "unchanged", alias)
        since = last.last_sequence if last else 0
        built = [d for d in self.deliveries if d.sequence > since and d.state == "built"]
        if not gate(self.draft, content, self.settings, {d.sequence: d.annotations_read for d in built}):
            raise Exit(GATE)
        s = self.settings
        wanted = Recipe(fractions or s.fractions, group_by or s.group_by, stratify or s.stratify, s.seed)
        recipe = last.spec if last else wanted
        if recipe.group_by and not any(recipe.group_by in dict(r.attributes) for r in content.images.values()):
            raise Exit(USAGE)
        splits = assign(content, recipe, self.published)
        uploads = frozenset(d.sequence for d in built)
        newest = max(uploads, default=since)
        version = Version((last.number if last else 0) + 1, FIRST, recipe, content, splits, uploads, newest)
        self.versions.append(version)
        self.published |= splits
        self.index |= {name: place for name, (_, place) in content.categories.items() if place is not None}
        return self._named(version, "published", alias)

    def add_recipe(
        self, number: int, fractions: tuple[tuple[str, float], ...], group_by: str | None = None,
        stratify: bool = False, alias: str | None = None,
    ) -> tuple[str, str | None]:  # fmt: skip
        """Another split of the content of version `number`: status and version."""
        base = next((v for v in self.versions if (v.number, v.recipe) == (number, FIRST)), None)
        if base is None:
            raise Exit(NOT_FOUND)
        recipe = Recipe(fractions, group_by, stratify, self.settings.seed, uploaded=False)
        if group_by and not any(group_by in dict(r.attributes) for r in base.content.images.values()):
            raise Exit(USAGE)
        same = [v for v in self.versions if v.spec == recipe and v.recipe != FIRST]
        there = [v for v in same if v.number == number]
        if there:
            return self._named(there[-1], "unchanged", alias)
        newest = max(same, key=lambda v: (v.number, v.recipe), default=None)
        fresh = max(v.recipe for v in self.versions) + 1
        y = newest.recipe if newest is not None and newest.number < number else fresh
        of = newest.recipe if newest is not None else fresh
        kept: dict[str, str] = {}
        for v in sorted(self.versions, key=lambda v: v.number):
            kept |= v.splits if v.recipe == of else {}
        version = Version(number, y, recipe, base.content, assign(base.content, recipe, kept))
        self.versions.append(version)
        return self._named(version, "published", alias)

    def has_unpublished(self) -> bool:
        """Whether a delivery was built after the newest one that a version includes."""
        last = self._last()
        return any(d.state == "built" and d.sequence > (last.last_sequence if last else 0) for d in self.deliveries)

    def differs(self) -> bool:
        """Whether the draft has other rows than the last version."""
        last = self._last()
        return content_of(self.draft).rows() != (last.content if last else Content({}, {}, {})).rows()

    def draft_splits(self) -> dict[str, str]:
        """Where the images of the draft lie: the published split, or none yet."""
        return {key: self.published.get(key, "unassigned") for key in self.draft.images}

    def _check_options(self, fractions: Any, group_by: str | None, stratify: bool) -> None:
        """A recipe is that of its first version: options that say otherwise are a mistake."""
        last = self._last()
        if last is None:
            return
        spec = last.spec
        if fractions not in (None, spec.fractions) or group_by not in (None, spec.group_by) or stratify > spec.stratify:
            raise Exit(USAGE)

    def _named(self, version: Version, status: str, alias: str | None) -> tuple[str, str]:
        name = f"v{version.number}" + (f".{version.recipe}" if version.recipe != FIRST else "")
        if alias is not None:
            self.aliases[alias] = f"v{version.number}.{version.recipe}"
        return status, name

    def _last(self) -> Version | None:
        return next((v for v in reversed(self.versions) if v.recipe == FIRST), None)

    def _earlier(self, upload: Upload) -> Delivered | None:
        """The newest time that the draft took this upload, or had it already."""
        for d in reversed(self.deliveries):
            same = d.upload is not None and d.upload.identity == upload.identity
            covers = d.upload and (d.upload.mode == upload.mode or (upload.mode, d.upload.mode) == ("append", "update"))
            if same and covers and d.state in ("built", "unchanged"):
                return d
        return None

    def _as_before(self, earlier: Delivered, sequence: int, upload: Upload, state: str) -> Delivered:
        """What was taken then is unchanged now."""
        then = [
            Counter({"unchanged": c["accepted"] + c["unchanged"], "rejected": c["rejected"]})
            for c in (earlier.images, earlier.annotations)
        ]
        return Delivered(sequence, upload, state, *then)

    def _apply(self, delivered: Delivered, out: Outcome) -> Delivered:
        before, after = self.draft, out.draft
        units = {u for u in _units(before) | _units(after) if before.of(u) != after.of(u)}
        keys = {k for k in before.images | after.images if _content(before, k) != _content(after, k)}
        delivered.changed = frozenset(units | keys)
        delivered.images, delivered.annotations, delivered.warnings = out.images, out.annotations, out.warnings
        self.draft = after
        return self._end(delivered)

    def _end(self, delivered: Delivered) -> Delivered:
        self.deliveries.append(delivered)
        return delivered


def _units(draft: Draft) -> set[Any]:
    return {(key, kind) for key, row in draft.images.items() for kind in row.labelled} | draft.labels.keys()


def _content(draft: Draft, key: str) -> str | None:
    row: Mapping[str, Any] | Any = draft.images.get(key)
    return None if row is None else row.content

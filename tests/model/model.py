"""The executable model of the contract: one dataset, its verbs, and what each of them answers.

Read it as the specification: `Dataset.deliver` says what becomes of an upload that is new or came before, `publish`
what a version is. `delivery` says what an upload does to images and labels, `matching` whose labels they are,
`versions` how images are split. No Spark, no Delta, nothing of the product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.model.delivery import Delivery
from tests.model.digest import content_digest
from tests.model.draft import Delivered, Draft, Recipe, Settings
from tests.model.uploads import Document, Entry, Label, Upload
from tests.model.versions import FIRST, Version, assign, gate

USAGE, GATE, NOT_FOUND = 2, 4, 6

NOTHING = Version(0, FIRST, Recipe(), Draft())
"""What there is before the first version."""

Shares = tuple[tuple[str, float], ...]
Said = tuple[str, str]
"""What publishing answers: a status and a version."""


@dataclass(eq=False)
class Exit(Exception):
    """A verb ends with this exit code, and nothing has happened."""

    code: int


@dataclass
class Dataset:
    """A dataset as its users know it; what it holds is never changed, only replaced."""

    settings: Settings = field(default_factory=Settings)
    draft: Draft = field(default_factory=Draft)
    deliveries: list[Delivered] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    saves: dict[str, Document] = field(default_factory=dict)

    def copy(self) -> Dataset:
        """A dataset of its own with the same past."""
        return replace(self)

    def deliver(self, upload: Upload) -> Delivered:
        """An upload reaches the draft."""
        earlier = self._earlier(upload)
        if upload.again and earlier and upload.mode == "append":
            upload = replace(upload, mode="update")
        answer, after = Delivery(self, upload).apply()
        if earlier and answer.state == "built":
            later = {thing for d in self.deliveries[earlier.sequence :] for thing in d.changed}
            stale = upload.mode != "replace" and not upload.again and later & answer.brings
            same = after == self.draft and after.told() == self.draft.told()
            state = "unchanged" if same else "superseded" if stale else "built"
            if state != "built":  # what was accepted then is unchanged now
                then = [
                    (c, c["accepted"] + c["unchanged"]) for c in (earlier.files, earlier.images, earlier.annotations)
                ]
                files, images, labels = (Counter({**c, "accepted": 0, "unchanged": n}) for c, n in then)
                answer, after = Delivered(answer.sequence, upload, state, files, images, labels), self.draft
        return self._end(answer, after)

    def remove(self, keys: Collection[str], ignore_missing: bool = False) -> Delivered | None:
        """Images leave the draft, their labels, and what was open about them; None when none is named."""
        there, before = set(keys) & self.draft.images.keys(), self.draft
        if len(there) < len(set(keys)) and not ignore_missing:
            raise Exit(NOT_FOUND)
        images = {key: row for key, row in before.images.items() if key not in there}
        labels = {unit: rows for unit, rows in before.labels.items() if unit[0] not in there}
        rejections = {r: r for r in before.rejections.values() if r.key not in there}
        after = Draft(images, labels, before.categories, rejections)
        return self._end(Delivered(len(self.deliveries) + 1, None, files=Counter(accepted=1)), after) if there else None

    def save(self, key: str, kinds: tuple[str, ...], labels: tuple[Label, ...]) -> None:
        """A tool saves all labels of some kinds of an image of the draft; other kinds that wait stay as they are."""
        before, row = self.saves.get(key, Document()), self.draft.images[key]
        carried = tuple(kind for kind in before.kinds if kind not in kinds)
        older = tuple(label for label in before.labels if label.kind in carried)
        entry = Entry(key, (row.width, row.height))
        save = Document((entry,), (*labels, *older), form="save", kinds=tuple(sorted((*kinds, *carried))))
        self.saves = {**self.saves, key: save}

    def fold_saves(self) -> Delivered | None:
        """The saves that wait become a delivery of their own."""
        number = len(self.deliveries) + 1  # no two saves have one name
        files = tuple((f"save-{number}-{n}.json", save) for n, save in enumerate(self.saves.values()))
        self.saves = {}
        return self.deliver(Upload(files, "labels")) if files else None

    def publish(
        self, fractions: Shares = (), group_by: str = "", stratify: bool = False, alias: str = "", force: bool = False
    ) -> Said:
        """The draft becomes the next version, where it differs from the last: status and version."""
        last = self._last()
        begun = last.spec if last.number else self.settings
        spec = Recipe(fractions or begun.fractions, group_by or begun.group_by, stratify or begun.stratify, begun.seed)
        if last.number and spec != last.spec:  # a recipe is that of its first version
            raise Exit(USAGE)
        if last.number and not self.differs():
            return self._named(last, "unchanged", alias)
        reads = {d.sequence: d.annotations.total() - d.annotations["removed"] for d in self._unpublished()}
        parent = last.content if last.number else None
        if not gate(self.draft, self.settings, reads, parent) and not force:
            raise Exit(GATE)
        newest = max(reads, default=last.last_sequence)
        version = Version(last.number + 1, FIRST, spec, self.draft, frozenset(reads), newest)
        uploaded = {key: row.split for key, row in self.draft.images.items() if row.split}
        return self._publish(version, (self.splits_of(), uploaded), alias)

    def add_recipe(
        self, number: int, shares: Shares, group_by: str = "", stratify: bool = False, alias: str = ""
    ) -> Said:
        """Another split of the content of version `number`: status and version."""
        base = next((v for v in self.versions if (v.number, v.recipe) == (number, FIRST)), None)
        if base is None:
            raise Exit(NOT_FOUND)
        spec = Recipe(shares, group_by or None, stratify, self.settings.seed)
        same = [v for v in self.versions if v.spec == spec and v.recipe != FIRST]
        there = [v for v in same if v.number == number]
        if there:
            return self._named(there[-1], "unchanged", alias)
        fresh = max(v.recipe for v in self.versions) + 1
        newest = max(same, key=lambda v: (v.number, v.recipe), default=replace(base, recipe=fresh))
        recipe = newest.recipe if newest.number < number else fresh
        return self._publish(Version(number, recipe, spec, base.content), [self.splits_of(newest.recipe)], alias)

    def has_unpublished(self) -> bool:
        """Whether a delivery was built after the newest one that a version includes."""
        return bool(self._unpublished())

    def differs(self) -> bool:
        """Whether the draft has other rows than the last version."""
        return content_digest(self.draft) != content_digest(self._last().content)

    def draft_splits(self) -> dict[str, str]:
        """Where the images of the draft lie: the published split, or none yet."""
        splits = self.splits_of()
        return {key: splits.get(key, "unassigned") for key in self.draft.images}

    def _last(self) -> Version:
        return next((v for v in reversed(self.versions) if v.recipe == FIRST), NOTHING)

    def _unpublished(self) -> list[Delivered]:
        return [d for d in self.deliveries if d.state == "built" and d.sequence > self._last().last_sequence]

    def splits_of(self, recipe: int = FIRST) -> dict[str, str]:
        """The newest split that a recipe has given to each image, images removed since included."""
        return {key: split for v in self.versions if v.recipe == recipe for key, split in v.splits.items()}

    def _publish(self, version: Version, decided: Sequence[Mapping[str, str]], alias: str) -> Said:
        images, group_by = version.content.images.values(), version.spec.group_by
        if group_by and not any(group_by in dict(row.attributes) for row in images):
            raise Exit(USAGE)
        version = replace(version, splits=assign(version.content, version.spec, decided))
        self.versions = [*self.versions, version]
        return self._named(version, "published", alias)

    def _named(self, version: Version, status: str, alias: str) -> Said:
        self.aliases = self.aliases | ({alias: f"v{version.number}.{version.recipe}"} if alias else {})
        return status, f"v{version.number}" + (f".{version.recipe}" if version.recipe != FIRST else "")

    def _earlier(self, upload: Upload) -> Delivered | None:
        """The newest time that the draft took this upload, or had it already."""
        same = [(upload.identity, mode) for mode in (upload.mode, "update" if upload.mode == "append" else upload.mode)]
        came = [d for d in self.deliveries if d.upload and (d.upload.identity, d.upload.mode) in same]
        return next((d for d in reversed(came) if d.state in ("built", "unchanged")), None)

    def _end(self, answer: Delivered, after: Draft) -> Delivered:
        """The draft is what it is after a delivery, and what that took away and changed is counted."""
        before, self.draft = self.draft, after
        lost = [rows - after.labels.get(unit, Counter()) for unit, rows in before.labels.items()]
        answer.annotations["removed"] = sum(rows.total() for rows in lost)
        answer.images["removed"] = len(before.images.keys() - after.images.keys())
        old, new = ({**d.labels, **{key: row.content for key, row in d.images.items()}} for d in (before, after))
        answer.changed = {thing for thing in old.keys() | new.keys() if old.get(thing) != new.get(thing)}
        self.deliveries = [*self.deliveries, answer]
        return answer

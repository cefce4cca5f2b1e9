"""An upload on its way into the draft: what is accepted, what is refused, what waited for it, what it closes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.model.draft import WAITING, Annotation, Delivered, Draft, Rejection, Row, Unit, count
from tests.model.labels import ORPHAN, judge, to_raw
from tests.model.matching import AMBIGUOUS, BY_NAME, DUPLICATE, MISSING, Match, match, match_waiting
from tests.model.uploads import Document, Image, Record, Upload, damage, image_keys, is_ignored, records, take_apart

if TYPE_CHECKING:
    from tests.model.model import Dataset

By = tuple[Upload, int]
"""Whose defect a refused row is: an upload and its number."""
Rows = Mapping[str, Row]
Units = dict[Unit, Counter[Annotation]]

UNFOUND = {MISSING: "image.file_missing", AMBIGUOUS: "image.ambiguous", DUPLICATE: "image.duplicate_file_name"}
"""The rule for a listed image, by how its match ended."""

NOBODY = Row("", 0, 0, 0)
"""What is known of an image before it comes for the first time."""


class Delivery:
    """An upload on its way into the draft of a dataset."""

    def __init__(self, dataset: Dataset, upload: Upload) -> None:
        self.dataset, self.draft, self.settings, self.upload = dataset, dataset.draft, dataset.settings, upload
        self.published, self.replacing = dataset.splits_of(), upload.mode == "replace"
        self.members = upload.members()
        self.documents = {path: f for path, f in self.members.items() if isinstance(f, Document)}
        self.files = {path: f for path, f in self.members.items() if isinstance(f, Image) and not is_ignored(path, f)}
        self.keys = image_keys(self.files, self.draft.images)
        self.answer = Delivered(len(dataset.deliveries) + 1, upload)
        self.refused: dict[Rejection, Rejection] = {}

    def apply(self) -> tuple[Delivered, Draft]:
        """The answer, and the draft after it: as it was when none of the upload's documents can be read, or, where it
        has none, none of its images; and when a row of it breaks a rule that rejects uploads."""
        if all(damage(file) for file in (self.documents or self.files).values()):
            return replace(self.answer, state="rejected"), self.draft
        by, before = (self.upload, self.answer.sequence), self.draft
        # whose are the labels: of images that the upload has and that are good, or of others of the draft
        matches = match(records(self.members), self.keys, before.images, self.settings.match_by_name)
        orphans = [Record(path, -1, "", frozenset(), labels=f.labels_of(None)) for path, f in self.documents.items()]
        matches += [Match(record, ORPHAN) for record in orphans]
        good = self._good_files(by, {m.key for m in matches if m.record.kinds})
        now = {**before.images, **good}
        rows = {key: row for key, row in now.items() if key in good or key not in self.keys.values()}
        # the upload's own units count before those that waited for its images, the newest of these first
        own = self._take(by, matches, rows, set())
        refused = {(r.key, r.kind) for r in self.refused if r.entity == "annotation" and r.key}
        waiting, entered = self._waiting(good), Units()
        for other, arrived in waiting.items():
            entered |= self._take(other, arrived, rows, {*own, *entered})
        if any(r.sequence == self.answer.sequence and self.settings.rejects(r.rule) for r in self.refused):
            return replace(self.answer, state="rejected"), self.draft
        # images that the upload has or lists, and, unless it is the whole dataset, the others
        said = {key: [m.record for some in (matches, *waiting.values()) for m in some if m.key == key] for key in now}
        images = {key: self._image(key, row, said[key], own) for key, row in rows.items() if key in good or said[key]}
        self._count(matches, good.keys(), rows.keys(), images, own)
        images = {**({} if self.replacing else before.images), **images}
        for key, kind in entered:
            images[key] = replace(images[key], labelled=images[key].labelled | {kind})
        stay = {(k, kind): a for (k, kind), a in before.labels.items() if k in images and kind in images[k].labelled}
        after = Draft(images, {**stay, **own, **entered})
        after.categories = self._categories(after)
        after.rejections = self._rejections(after, good, {*own, *entered})
        self.answer.brings = {*own, *refused, *(self.keys[path] for path, f in self.files.items() if f.problem is None)}
        return self.answer, after

    def _good_files(self, by: By, listed: set[str | None]) -> Rows:
        """Image files by key that enter the draft; all others, and what cannot be read, are refused."""
        good = {}
        for path, image in self.files.items():
            key = self.keys[path]
            taken = self.upload.mode == "append" and self.draft.images.get(key, image).content != image.content
            unlisted = self.documents and self.settings.unlisted == "reject" and key not in listed
            rule = image.problem or ("image.key_taken" if taken else "image.unlisted" if unlisted else None)
            if rule:
                self._refuse(by, "image", path, "file", rule, image.content, key)
            else:
                good[key] = Row(image.content, image.width, image.height, image.orientation)
        for path, file in self.members.items():
            if damage(file) and not isinstance(file, Image):
                self._refuse(by, "file", path, "file", damage(file), file)
        return good

    def _take(self, by: By, matches: Collection[Match], rows: Rows, closed: set[Unit]) -> Units:
        """Refuse names that mean no image, and labels that are no good. The units that are brought: of images listed
        with the right size, not closed, and not with all of their labels refused."""
        accepted: Units = defaultdict(Counter)
        listed, bad = set[Unit](), set[Unit]()
        for m in matches:
            r, key = m.record, m.key or ""
            row = rows.get(key)
            results = [(locator, label, judge(m, label, row, self.settings)) for locator, label in r.labels]
            if m.status == MISSING:  # a kind all of whose labels are refused now does not wait for its image
                r = replace(
                    r,
                    kinds=r.kinds - ({x.kind for _, x, _ in results} - {x.kind for _, x, y in results if y in WAITING}),
                )
            if row and to_raw(row, r.size):
                listed |= {(key, kind) for kind in r.kinds}
            if m.status in UNFOUND:
                member = "split.member_unknown" if m.status == MISSING else "split.member_ambiguous"
                rule = UNFOUND[m.status] if m.record.kinds else member
                self._refuse(by, "image", r.document, f"images[{r.position}]", rule, r.name, None, None, r)
            for locator, label, result in results:
                unit = (key, label.kind)
                if result in accepted[unit] and self.settings.refuses("annotation.duplicate"):
                    result = "annotation.duplicate"
                if isinstance(result, Annotation):
                    accepted[unit][result] += 1
                elif unit not in closed:
                    bad.add(unit)
                    self._refuse(by, "annotation", r.document, locator, result, label, m.key, label.kind, r)
        return {unit: accepted[unit] for unit in listed - closed if accepted[unit] or unit not in bad}

    def _waiting(self, good: Rows) -> dict[By, list[Match]]:
        """The listed images that waited and arrive now, with labels that are still open; newest delivery first."""
        rows = [] if self.replacing else sorted(self.draft.rejections.values(), key=lambda r: -r.sequence)
        self.tried = [r for r in rows if r.rule in WAITING and not good.keys().isdisjoint(r.record.draft_keys)]
        waiting: dict[By, list[Record]] = defaultdict(list)
        for by, record in dict.fromkeys(((r.upload, r.sequence), r.record) for r in self.tried):
            own = [r for r in self.tried if (r.sequence, r.record) == (by[1], record)]
            kinds = frozenset(kind for r in own for _, kind in r.waits)
            labels = tuple((r.locator, r.raw) for r in own if r.kind)
            if len(labels) == len(own):  # what else the document said of the image, a newer one says
                record = replace(record, split=None, attributes=())
            waiting[by].append(replace(record, kinds=kinds, labels=labels))
        return {by: match_waiting(some, good) for by, some in waiting.items()}

    def _image(self, key: str, row: Row, said: list[Record], own: Units) -> Row:
        """An image and what stays of its labels, by what became of its bytes."""
        old = self.draft.images.get(key, NOBODY)
        before = NOBODY if self.replacing else old
        same_size = (row.width, row.height, row.orientation) == (before.width, before.height, before.orientation)
        brought, stay = {kind for k, kind in own if k == key}, before.labelled if same_size else frozenset()
        self.answer.warnings["image.labels_dropped"] += bool(before.labelled - brought - stay)
        changed = bool(stay - brought) and (before.content != row.content or before.bytes_changed)
        attributes = next((r.attributes for r in said if r.attributes), before.attributes)
        split = self._split(key, old, before, said)
        return replace(row, split=split, labelled=stay | brought, attributes=attributes, bytes_changed=changed)

    def _split(self, key: str, old: Row, before: Row, said: list[Record]) -> str | None:
        """The newest uploaded split, that of the folder first; one that was published stands, and that is said."""
        folders = [take_apart(path).split for path, k in self.keys.items() if k == key]
        asked = next((split for split in (*folders, *(r.split for r in said)) if split), None)
        published = self.published.get(key)
        self.answer.warnings["split.contradicts"] += None not in (asked, published) and asked != published
        return old.split if published and old is not NOBODY else asked or before.split

    def _count(self, matches: list[Match], good: Set[str], rows: Set[str], images: Rows, own: Units) -> None:
        """Read are files, image files and listed images that nobody has, and labels."""
        same = {key for key, row in images.items() if row == self.draft.images.get(key)}
        by_name = {m.key for m in matches if m.rank[0] >= BY_NAME}
        self.answer.matched_by_name = len(by_name & rows - same)
        fresh, unchanged = len(good - same), len(good & same)
        unfound = sum(m.key is None and bool(m.record.kinds) for m in matches)
        self.answer.images = count(len(self.files) + unfound, fresh, unchanged)
        ignored = [file for path, file in self.members.items() if is_ignored(path, file)]
        used = len(self.members) - len(self.files) - len(ignored) - sum(r.entity == "file" for r in self.refused)
        self.answer.files = count(len(self.members), fresh + used, unchanged, len(ignored))
        self.answer.warnings["file.mask"] = sum(isinstance(file, Image) for file in ignored)
        labels, accepted = sum(len(m.record.labels) for m in matches), sum(rows.total() for rows in own.values())
        unchanged = sum((rows & self.draft.labels.get(unit, Counter())).total() for unit, rows in own.items())
        self.answer.annotations = count(labels, accepted - unchanged, unchanged)

    def _rejections(self, after: Draft, good: Rows, brought: set[Unit]) -> dict[Rejection, Rejection]:
        """What stays open and what is new; of what waits the newest counts."""
        missing = {unit for r in self.refused for unit in r.waits}
        sound = {path for path, file in self.members.items() if not damage(file)}

        def closes(r: Rejection) -> bool:
            """Whether an open rejection ends with this upload, if it is not refused again."""
            lineage = r.upload.source == self.upload.source or r.upload.identity == self.upload.identity
            if self.replacing or r.rule in WAITING:
                return self.replacing or r in self.tried or (bool(r.waits) and r.waits <= missing)
            if r.key is None:
                return lineage and r.path in sound
            if r.entity == "annotation":
                unit = (r.key, r.kind)
                return unit in brought and (lineage or self.draft.labels.get(unit) != after.labels.get(unit))
            return r.key in good and (lineage or good[r.key].content != self.draft.images.get(r.key, NOBODY).content)

        kept = {r: r for r in self.draft.rejections.values() if r in self.refused or not closes(r)}
        told_anew = {r for r in self.refused.values() if r in kept and r.rule in WAITING and r.says != kept[r].says}
        return {**kept, **{r: r for r in self.refused.values() if r not in kept or r in told_anew}}

    def _categories(self, after: Draft) -> dict[str, tuple[str | None, int | None]]:
        """Names with parent and training index: an index is kept for good, a parent without annotations has none."""
        declared: dict[str, str | None] = {}
        for file in self.documents.values():
            declared |= {name: parent for name, parent in file.categories if name not in declared}
        old, used = self.draft.categories, after.used()
        named = {**declared, **dict.fromkeys(sorted(used.keys() - declared.keys() - old.keys()))}
        roots = {parent for name, parent in declared.items() if parent != name} & declared.keys() - used.keys()
        stay = {*named, *used, *(() if self.replacing else old.keys() - self.draft.used())}
        kept = {name: old[name] for name in old if name in stay}
        rows = [row for v in self.dataset.versions for row in v.content.categories.items()]
        index = {name: place for name, (_, place) in [*rows, *kept.items()] if place is not None}
        for name in (name for name in named if name not in roots):
            index.setdefault(name, max(index.values(), default=-1) + 1)
        parents = {name: named.get(name) or old.get(name, (None,))[0] for name in (*kept, *named)}
        return {name: (parent, None if name in roots else index.get(name)) for name, parent in parents.items()}

    def _refuse(self, by: By, *what: Any) -> None:
        rejection = Rejection(*by, *what)
        self.refused.setdefault(rejection, rejection)

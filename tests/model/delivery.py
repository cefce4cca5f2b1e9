"""An upload on its way into the draft: what is accepted, what is refused, what waited for it, what it closes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.model.draft import WAITING, Annotation, Delivered, Draft, Rejection, Row, Settings, Unit
from tests.model.labels import ORPHAN, judge, to_raw
from tests.model.matching import AMBIGUOUS, DUPLICATE, MISSING, Match, match, match_waiting
from tests.model.uploads import Document, Image, Label, Record, Upload, damage, image_keys, is_mask, records, take_apart

By = tuple[Upload, int]
Rows = Mapping[str, Row]
Units = dict[Unit, Counter[Annotation]]
Labels = Iterable[tuple[Match, str, Label]]

UNFOUND = {
    MISSING: ("image.file_missing", "split.member_unknown"),
    AMBIGUOUS: ("image.ambiguous", "split.member_ambiguous"),
    DUPLICATE: ("image.duplicate_file_name", "split.member_ambiguous"),
}
"""The rules for a listed image and for a mere member of a split list, by how the match ended."""

NOBODY = Row("", 0, 0, 0)
"""What is known of an image before it comes for the first time."""


@dataclass
class Delivery:
    """An upload on its way into the draft; `published` and `index` are splits and training indices of all versions."""

    upload: Upload
    sequence: int
    draft: Draft
    settings: Settings
    published: Mapping[str, str]
    index: Mapping[str, int]

    def __post_init__(self) -> None:
        self.members = self.upload.members()
        self.documents = {p: f for p, f in self.members.items() if isinstance(f, Document)}
        self.files = {p: f for p, f in self.members.items() if isinstance(f, Image) and not is_mask(p)}
        self.keys = image_keys(self.files, self.draft.images)
        self.replacing = self.upload.mode == "replace"
        self.by = (self.upload, self.sequence)
        self.answer = Delivered(self.sequence, self.upload)
        self.refused: dict[tuple[Any, ...], Rejection] = {}

    def apply(self) -> tuple[Delivered, Draft]:
        """The answer, and the draft after it: as it was when none of the upload's documents can be read."""
        if self.documents and all(f.broken for f in self.documents.values()):
            return replace(self.answer, state="rejected"), self.draft
        draft = self.draft
        matches = match(records(self.members), self.keys, draft.images, self.settings.match_by_name)
        matches.sort(key=lambda m: (m.record.document, m.record.position))
        good = self._good_files({m.key for m in matches if m.record.kinds})
        rows = {**{key: row for key, row in draft.images.items() if key not in self.keys.values()}, **good}
        labels = [(m, *one) for m in (*matches, *self._orphans()) for one in m.record.labels]
        own = self._take(self.by, matches, labels, rows, set())
        entered, waited = self._enter(good, own)
        images = self._images(good, [*matches, *waited.values()], own)
        self._count(matches, len(labels), good, images, own)
        for key, kind in entered:
            images[key] = replace(images[key], labelled=images[key].labelled | {kind})
        stay = {(k, kind): a for (k, kind), a in draft.labels.items() if k in images and kind in images[k].labelled}
        after = Draft(images, {**stay, **own, **entered})
        after.categories = self._categories(after)
        after.rejections = self._rejections(after, good, own, waited)
        self.answer.brings = {*own, *(self.keys[p] for p, f in self.files.items() if f.problem is None)}
        return self.answer, after

    def _good_files(self, listed: set[str | None]) -> dict[str, Row]:
        """Image files by key that enter the draft; all others, and what cannot be read, are refused."""
        good = {}
        for path, image in self.files.items():
            key, rule = self.keys[path], image.problem
            old = self.draft.images.get(key)
            if rule is None and old and old.content != image.content and self.upload.mode == "append":
                rule = "image.key_taken"
            if rule is None and self.documents and key not in listed and self.settings.unlisted == "reject":
                rule = "image.unlisted"
            if rule is None:
                good[key] = Row(image.content, image.width, image.height, image.orientation)
            else:
                self._refuse(self.by, "image", path, "file", rule, image.content, key=key)
        for path, file in self.members.items():
            if damage(file) and not isinstance(file, Image):
                self._refuse(self.by, "file", path, "file", damage(file), file)
        return good

    def _orphans(self) -> Iterable[Match]:
        """Labels of images that their document does not list."""
        for path, file in self.documents.items():
            labels = tuple((f"annotations[{n}]", label) for n, label in enumerate(file.labels) if label.entry is None)
            yield Match(Record(path, -1, "", frozenset(), labels=labels), ORPHAN)

    def _take(self, by: By, matches: Collection[Match], labels: Labels, rows: Rows, closed: set[Unit]) -> Units:
        """The units that are brought: listed with the right size, not closed, and not all of their labels refused."""
        for m in matches:
            if m.key is None:
                rule = UNFOUND[m.status][not m.record.kinds]
                r = m.record
                self._refuse(by, "image", r.document, f"images[{r.position}]", rule, r.name, record=r)
        accepted: Units = defaultdict(Counter)
        bad = set()
        for m, locator, label in labels:
            unit = (m.key or "", label.kind)
            if unit in closed:
                continue
            result = judge(m, label, rows.get(unit[0]), self.settings)
            if accepted[unit][result] and self.settings.rejects("annotation.duplicate"):
                result = "annotation.duplicate"
            if isinstance(result, Annotation):
                accepted[unit][result] += 1
            else:
                bad.add(unit)
                raw = (m.record.position, label)
                self._refuse(
                    by, "annotation", m.record.document, locator, result, raw, key=m.key, record=m.record, label=label
                )
        fits = [m for m in matches if m.key in rows and to_raw(rows[m.key], m.record.size)]
        units = {(m.key, kind) for m in fits for kind in m.record.kinds} - closed
        return {unit: accepted[unit] for unit in units if accepted[unit] or unit not in bad}

    def _images(self, good: Rows, matches: Iterable[Match], own: Units) -> dict[str, Row]:
        """The images after the upload: those that it has or lists, and, unless it is all there is, the others."""
        said = defaultdict(list)
        for m in matches:
            said[m.key].append(m.record)
        rows = {key: row for key, row in {**self.draft.images, **good}.items() if key in good or key in said}
        others = {} if self.replacing else self.draft.images
        return {**others, **{key: self._image(key, row, said[key], own) for key, row in rows.items()}}

    def _image(self, key: str, row: Row, said: list[Record], own: Units) -> Row:
        """An image and what stays of its labels, by what became of its bytes."""
        old = self.draft.images.get(key, NOBODY)
        before = NOBODY if self.replacing else old
        same_size = (row.width, row.height, row.orientation) == (before.width, before.height, before.orientation)
        brought = {kind for k, kind in own if k == key}
        stay = before.labelled if same_size else frozenset()
        self.answer.warnings["image.labels_dropped"] += bool(before.labelled - brought - stay)
        changed = bool(stay - brought) and (before.content != row.content or before.bytes_changed)
        attributes = next((r.attributes for r in said if r.attributes), before.attributes)
        folder = [take_apart(path).split for path, k in self.keys.items() if k == key]
        split = next((s for s in (*folder, *(r.split for r in said)) if s), None)
        if key in self.published:
            self.answer.warnings["split.contradicts"] += split not in (None, self.published[key])
        split = old.split if key in self.published and old is not NOBODY else split or before.split
        return replace(row, split=split, labelled=stay | brought, attributes=attributes, bytes_changed=changed)

    def _count(self, matches, labels: int, good: Rows, images: Rows, own: Units) -> None:
        """Nothing is dropped uncounted: what is read and neither accepted nor unchanged is rejected."""
        before = self.draft
        same = [key for key in good if images[key] == before.images.get(key)]
        unfound = sum(m.key is None and bool(m.record.kinds) for m in matches)
        self.answer.images.update(
            accepted=len(good) - len(same), unchanged=len(same), rejected=len(self.files) - len(good) + unfound
        )
        accepted = sum(rows.total() for rows in own.values())
        unchanged = sum((rows & before.labels.get(unit, Counter())).total() for unit, rows in own.items())
        self.answer.annotations.update(accepted=accepted - unchanged, unchanged=unchanged, rejected=labels - accepted)
        masks = sum(isinstance(f, Image) and is_mask(p) for p, f in self.members.items())
        self.answer.warnings["file.mask"] += masks

    def _enter(self, good: Rows, own: Units) -> tuple[Units, dict[Rejection, Match]]:
        """Labels that waited enter with their image, the newest of a unit first, unless the upload brings it.

        The units that enter, and what the records of the rejections mean that have been tried.
        """
        waiting = defaultdict(list)
        for r in sorted(self.draft.rejections.values(), key=lambda r: -r.sequence):
            if r.rule in WAITING and not self.replacing:
                waiting[r.upload, r.sequence].append(r)
        entered: Units = {}
        waited: dict[Rejection, Match] = {}
        for by, rejections in waiting.items():
            found = {m.record: m for m in match_waiting([r.record for r in rejections if not r.label], good)}
            tried = {r: found[r.record] for r in rejections if r.record in found}
            labels = [(m, r.locator, r.label) for r, m in tried.items() if r.label]
            entered |= self._take(by, found.values(), labels, good, {*own, *entered})
            waited |= tried
        return entered, waited

    def _rejections(
        self, after: Draft, good: Rows, own: Units, waited: Mapping[Rejection, Match]
    ) -> dict[Any, Rejection]:
        """What stays open and what is new; of what waits the newest counts."""
        missing = {
            (r.record.waits_for, kind)
            for r in self.refused.values()
            if r.rule == "image.file_missing"
            for kind in r.record.kinds
        }
        sound = {path for path, file in self.members.items() if not damage(file)}

        def closes(r: Rejection) -> bool:
            """Whether an open rejection ends with this upload, if it is not refused again."""
            lineage = r.upload.source == self.upload.source or r.upload.identity == self.upload.identity
            if self.replacing:
                return True
            if r.rule in WAITING:
                return all((r.record.waits_for, k) in missing for k in ({r.kind} if r.label else r.record.kinds))
            if r.key is None:
                return lineage and r.path in sound
            if r.entity == "annotation":
                unit = (r.key, r.kind)
                return unit in own and (lineage or self.draft.labels.get(unit) != after.labels.get(unit))
            return r.key in good and (lineage or good[r.key].content != self.draft.images.get(r.key, NOBODY).content)

        open_before = {i: r for i, r in self.draft.rejections.items() if r not in waited}
        kept = {i: r for i, r in open_before.items() if i in self.refused or not closes(r)}
        return {**kept, **{i: r for i, r in self.refused.items() if i not in kept or r.rule in WAITING}}

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
        index = {**self.index, **{name: place for name, (_, place) in kept.items() if place is not None}}
        for name in named:
            if name not in roots:
                index.setdefault(name, max(index.values(), default=-1) + 1)
        parents = {name: parent for name, (parent, _) in kept.items()}
        parents |= {name: parent for name, parent in named.items() if parent or name not in kept}
        return {name: (parent, None if name in roots else index.get(name)) for name, parent in parents.items()}

    def _refuse(self, by: By, *what: Any, **more: Any) -> None:
        row = Rejection(*by, *what, **more)
        self.refused.setdefault(row.id, row)

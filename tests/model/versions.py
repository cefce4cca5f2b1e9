"""What is published: versions, the gate, and how a recipe splits the images."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tests.model.digest import version_digest
from tests.model.draft import WAITING, Draft, Recipe, Row, Settings

FIRST = 1
"""The recipe in which uploaded splits count, and that every version has."""
Content = Draft
"""What a version holds: the images, annotations and categories of the draft as it was."""


@dataclass(frozen=True)
class Version:
    """A published version vX.y."""

    number: int
    recipe: int
    spec: Recipe
    content: Content
    uploads: frozenset[int] = frozenset()
    last_sequence: int = 0
    splits: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Over content and splits."""
        return version_digest(self.content, self.splits)


def gate(draft: Draft, settings: Settings, reads: Mapping[int, int], parent: Draft | None) -> bool:
    """Whether the draft is good enough; `reads` are the annotations read by each upload since the parent version.

    What waits is no defect of images or annotations, and counts in the whole alone. Classes change from version to
    version: there is none to compare with before the first.
    """
    good = {"image": len(draft.images), "annotation": draft.used().total()}
    firm = [r for r in draft.rejections.values() if r.rule not in WAITING]
    refused = Counter(r.entity for r in firm)
    own = Counter(r.sequence for r in firm if r.entity == "annotation")
    shares = [(len(draft.rejections), len(draft.rejections) + sum(good.values()))]
    shares += [(refused[entity], refused[entity] + count) for entity, count in good.items()]
    shares += [(own[number], read) for number, read in reads.items()]
    bare = draft.images.keys() - {key for (key, _), rows in draft.labels.items() if rows}
    if len(bare) > settings.max_unannotated * len(draft.images):
        return False
    now, before = set(draft.used()), set(draft.used() if parent is None else parent.used())
    most = math.inf if settings.max_class_changes is None else settings.max_class_changes
    changed = len(now - before) <= most and len(before - now) <= most
    return changed and bool(draft.images) and all(part <= settings.max_rejected * whole for part, whole in shares)


def groups(images: Mapping[str, Row], group_by: str | None) -> dict[str, str]:
    """The group of each image: its attribute, else its bytes. Equal bytes join their groups under the least name."""
    own = {key: dict(row.attributes).get(group_by or "", row.content) for key, row in images.items()}
    root = {name: name for name in own.values()}
    for content in {row.content for row in images.values()}:
        joined = {root[own[key]] for key, row in images.items() if row.content == content}
        root = {name: min(joined) if r in joined else r for name, r in root.items()}
    return {key: root[name] for key, name in own.items()}


def assign(content: Content, recipe: Recipe, decided: Collection[Mapping[str, str]]) -> dict[str, str]:
    """The split of each image. A group lies where the first of its images was `decided` to, kept before uploaded ones;
    else where its hash falls; stratified, where its rarest class is shortest of its share."""
    of = groups(content.images, recipe.group_by)
    members = {root: sorted(key for key in of if of[key] == root) for root in of.values()}
    told = {root: [where[key] for where in decided for key in keys if key in where] for root, keys in members.items()}
    splits = {root: names[0] for root, names in told.items() if names}
    classes, shares = _rarest(content, of), [share for _, share in recipe.fractions]
    for u, root in sorted((_uniform(recipe.seed, root), root) for root in members.keys() - splits.keys()):
        place = sum(u >= math.fsum(shares[: n + 1]) for n in range(len(shares) - 1))
        if recipe.stratify:
            equals = [split for other, split in splits.items() if classes.get(other) == classes.get(root)]
            short = [share * (len(equals) + 1) - equals.count(name) for name, share in recipe.fractions]
            place = short.index(max(short))
        splits[root] = recipe.fractions[place][0]
    return {key: splits[of[key]] for key in of}


def _uniform(seed: int, root: str) -> float:
    return int(hashlib.sha256(f"{seed}:{root}".encode()).hexdigest()[:13], 16) / (1 << 52)


def _rarest(content: Content, of: Mapping[str, str]) -> dict[str, str]:
    """The rarest class of each group that has annotations."""
    count = content.used()
    classes = [(of[key], row.category) for (key, _), rows in content.labels.items() for row in rows]
    return {root: min((count[c], c) for r, c in classes if r == root)[1] for root, _ in classes}

"""What is published: digests, split recipes, the gate, and what differs between two contents."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.model.draft import WAITING, Draft, Row, Settings, Unit
from tests.model.labels import Annotation

Categories = Mapping[str, tuple[str | None, int | None]]


@dataclass(frozen=True)
class Content:
    """The rows a version consists of."""

    images: Mapping[str, Row]
    labels: Mapping[Unit, Counter[Annotation]]
    categories: Categories

    def rows(self) -> tuple[Counter[bytes], Counter[bytes], Counter[bytes]]:
        """The row hashes of images, annotations and categories."""
        images = Counter(_hash("image", _image(key, row)) for key, row in self.images.items())
        labels: Counter[bytes] = Counter()
        for (key, kind), rows in self.labels.items():
            for row, count in rows.items():
                labels[_hash("annotation", _annotation(key, kind, row))] += count
        categories = (
            _text(1, name) + _text(2, parent) + (b"" if place is None else _field(3, struct.pack("<q", place)))
            for name, (parent, place) in self.categories.items()
        )
        return images, labels, Counter(_hash("category", c) for c in categories)

    def digest(self) -> str:
        """The content digest."""
        sets = b"".join(_set(rows) for rows in self.rows())
        return "d1:" + hashlib.sha256(b"imagelake/d1/content\n" + sets).hexdigest()


def content_of(draft: Draft) -> Content:
    """What a publish of the draft would write."""
    return Content(dict(draft.images), {u: +c for u, c in draft.labels.items() if c}, dict(draft.categories))


def version_digest(content: Content, splits: Mapping[str, str]) -> str:
    """The digest of a version: content, and which image lies in which split."""
    rows = Counter(_hash("split", _text(1, key) + _text(2, split)) for key, split in splits.items())
    data = b"imagelake/d1/version\n" + content.digest().encode() + b"\n" + _set(rows)
    return "d1:" + hashlib.sha256(data).hexdigest()


def _hash(entity: str, fields: bytes) -> bytes:
    return hashlib.sha256(f"imagelake/d1/{entity}\n".encode() + fields).digest()


def _set(rows: Counter[bytes]) -> bytes:
    total = sum(int.from_bytes(row, "little") * count for row, count in rows.items()) % (1 << 256)
    return total.to_bytes(32, "little") + rows.total().to_bytes(8, "little")


def _field(number: int, data: bytes) -> bytes:
    return struct.pack("<BI", number, len(data)) + data


def _text(number: int, text: str | None) -> bytes:
    return b"" if text is None else _field(number, text.encode())


def _floats(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack("<d", v + 0.0) for v in values)


def _image(key: str, row: Row) -> bytes:
    numbers = ((3, row.width), (4, row.height), (5, row.orientation))
    attributes = json.dumps(dict(row.attributes), sort_keys=True, separators=(",", ":")) if row.attributes else None
    return b"".join((
        _text(1, key), _text(2, row.content), *(_field(n, struct.pack("<q", v)) for n, v in numbers),
        _field(6, b"".join(_text(0, kind) for kind in sorted(row.labelled))), _text(7, attributes),
    ))  # fmt: skip


def _annotation(key: str, kind: str, row: Annotation) -> bytes:
    box = b"" if row.box is None else _field(4, _floats(row.box))
    points = row.polygon
    polygon = b"" if points is None else _field(5, struct.pack("<I", len(points)) + _floats(points))
    crowd = _field(9, struct.pack("<q", 0))
    return _text(1, key) + _text(2, kind) + _text(3, row.category) + box + polygon + crowd


@dataclass(frozen=True)
class Recipe:
    """A way to split: shares by name in order, the attribute that joins images, and whether uploaded splits count."""

    fractions: tuple[tuple[str, float], ...]
    group_by: str | None = None
    stratify: bool = False
    seed: int = 0
    uploaded: bool = True


@dataclass(frozen=True)
class Version:
    """A published version vX.y."""

    number: int
    recipe: int
    spec: Recipe
    content: Content
    splits: Mapping[str, str]
    uploads: frozenset[int] = frozenset()
    last_sequence: int = 0

    @property
    def digest(self) -> str:
        """Over content and splits."""
        return version_digest(self.content, self.splits)


@dataclass
class Groups:
    """Images that must lie in one split: of equal bytes, or of one value of an attribute (union-find)."""

    parent: dict[str, str] = field(default_factory=dict)

    def root(self, name: str) -> str:
        """The smallest name that is joined with this one."""
        while self.parent.setdefault(name, name) != name:
            name = self.parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        """Both are one group from now on."""
        low, high = sorted((self.root(one), self.root(other)))
        self.parent[high] = low


def roots(images: Mapping[str, Row], group_by: str | None) -> dict[str, str]:
    """The group of each image."""
    names = {key: dict(row.attributes).get(group_by or "", row.content) for key, row in images.items()}
    groups, by_content = Groups(), dict[str, str]()
    for key, row in images.items():
        groups.join(names[key], by_content.setdefault(row.content, names[key]))
    return {key: groups.root(name) for key, name in names.items()}


def assign(content: Content, recipe: Recipe, kept: Mapping[str, str]) -> dict[str, str]:
    """The split of each image; `kept` are those that the recipe has given before."""
    of = roots(content.images, recipe.group_by)
    members: dict[str, list[str]] = defaultdict(list)
    for key in sorted(of):
        members[of[key]].append(key)
    splits: dict[str, str] = {}
    for root, keys in members.items():
        uploaded = (content.images[key].split for key in keys if recipe.uploaded and content.images[key].split)
        decided = [*(kept[key] for key in keys if key in kept), *uploaded]
        if decided:
            splits[root] = decided[0]
    undecided = sorted((_uniform(recipe.seed, root), root) for root in members if root not in splits)
    classes = _classes(content, of)
    for u, root in undecided:
        if recipe.stratify:
            together = [splits[r] for r in members if r in splits and classes.get(r, "") == classes.get(root, "")]
            splits[root] = _shortest(recipe, together)
        else:
            names = [name for name, _ in recipe.fractions]
            edges = [math.fsum(share for _, share in recipe.fractions[: n + 1]) for n in range(len(names) - 1)]
            splits[root] = next((name for name, edge in zip(names, edges, strict=False) if u < edge), names[-1])
    return {key: splits[of[key]] for key in of}


def _uniform(seed: int, root: str) -> float:
    return int(hashlib.sha256(f"{seed}:{root}".encode()).hexdigest()[:13], 16) / (1 << 52)


def _shortest(recipe: Recipe, together: list[str]) -> str:
    """The split that has the fewest of a class for its share."""
    short = [share * (len(together) + 1) - together.count(name) for name, share in recipe.fractions]
    return recipe.fractions[short.index(max(short))][0]


def _classes(content: Content, of: Mapping[str, str]) -> dict[str, str]:
    """The rarest class of each group."""
    counts: Counter[str] = Counter()
    by_root: dict[str, set[str]] = defaultdict(set)
    for (key, _), rows in content.labels.items():
        for row, count in rows.items():
            counts[row.category] += count
            by_root[of[key]].add(row.category)
    return {root: min(names, key=lambda name: (counts[name], name)) for root, names in by_root.items()}


def gate(draft: Draft, content: Content, settings: Settings, reads: Mapping[int, int]) -> bool:
    """Whether the draft is good enough; `reads` are the annotations read by each upload since the parent version."""
    refused = list(draft.rejections.values())
    firm = [r for r in refused if r.rule not in WAITING]
    annotations = sum(count.total() for count in content.labels.values())
    per_upload = [
        (sum(r.entity == "annotation" and r.sequence == number for r in firm), read) for number, read in reads.items()
    ]
    shares = [
        (len(refused), len(refused) + len(content.images) + annotations),
        *((n := sum(r.entity == e for r in firm), n + good) for e, good in _accepted(content, annotations)),
        *per_upload,
    ]
    return bool(content.images) and all(part <= settings.max_rejected * whole for part, whole in shares if whole)


def _accepted(content: Content, annotations: int) -> list[tuple[str, int]]:
    return [("image", len(content.images)), ("annotation", annotations)]

"""Which samples a load means, as text: the part after `?` of a reference such as pets@v3.1#d1:…?split=train."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from imagelake.client.data.order import Part, parse_part
from imagelake.errors import UsageError

Splits = str | Collection[str]
"""A split, or several of them: an image of any is meant."""

_KEYS = ("split", "where", "images", "sample", "unlabelled", "oriented", "part", "seed")


@dataclass(frozen=True)
class Selection:
    """A selection of images: all conditions hold together.

    `split` is a name, or of several a sorted tuple; `where` is a condition over the view images of `sql`; `images` the
    sha256 of sorted keys; `sample` a share (0 to 1] chosen by content hash, so that an image stays in the sample from
    version to version; `part` one of equal parts of what all of that selects; `seed` what shuffles it.
    """

    split: Splits | None = None
    where: str | None = None
    images: str | None = None
    sample: float | None = None
    unlabelled: bool = False
    oriented: bool = False
    part: Part | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.split is not None and not isinstance(self.split, str):
            names = tuple(sorted(set(self.split)))
            if not names:
                raise UsageError("an empty list of splits", hint="leave split out for all images")
            object.__setattr__(self, "split", names if len(names) > 1 else names[0])
        if self.sample is not None and not 0 < self.sample <= 1:
            raise UsageError(f"sample {self.sample:g} is no share", hint="sample is above 0 and at most 1")

    def __str__(self) -> str:
        """The selection as the query part of a reference, with its question mark; empty for everything."""
        values = {
            "where": self.where,
            "images": self.images,
            "sample": None if self.sample is None else repr(float(self.sample)),
            "unlabelled": "1" if self.unlabelled else None,
            "oriented": "1" if self.oriented else None,
            "part": None if self.part is None else str(self.part),
            "seed": None if self.seed is None else str(self.seed),
        }
        parts = [f"split={quote(split, safe='')}" for split in self.splits]
        parts += [f"{k}={quote(v, safe='')}" for k, v in values.items() if v is not None]
        return "?" + "&".join(parts) if parts else ""

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits that are meant; none for images of all splits and of none."""
        if self.split is None:
            return ()
        return (self.split,) if isinstance(self.split, str) else tuple(self.split)

    def also(self, other: Selection) -> Selection:
        """Both together; UsageError when they name different values for one condition."""
        values = {}
        for key in _KEYS:
            mine, theirs = getattr(self, key), getattr(other, key)
            if _is_made(mine) and _is_made(theirs) and mine != theirs:
                raise UsageError(f"{key} is {mine!r} in the reference and {theirs!r} in the arguments")
            values[key] = mine if _is_made(mine) else theirs
        return Selection(**values)


def parse_selection(query: str) -> Selection:
    """The selection in the query part of a reference (without the question mark)."""
    values: dict[str, str] = {}
    splits: list[str] = []
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key == "split":
            splits.append(value)
            continue
        if key not in _KEYS or key in values:
            keys = ", ".join(_KEYS)
            raise UsageError(f"{key!r} in ?{query} selects nothing", hint=f"known: {keys}, each once but split")
        values[key] = value
    try:
        sample = float(values["sample"]) if "sample" in values else None
        seed = int(values["seed"]) if "seed" in values else None
    except ValueError:
        raise UsageError(f"?{query}: sample and seed are numbers") from None
    return Selection(
        split=splits or None,
        where=values.get("where"),
        images=values.get("images"),
        sample=sample,
        unlabelled=values.get("unlabelled") == "1",
        oriented=values.get("oriented") == "1",
        part=parse_part(values["part"]) if "part" in values else None,
        seed=seed,
    )


def keys_digest(keys: Iterable[str]) -> str:
    """What stands for a list of image keys in a reference."""
    return hashlib.sha256("\n".join(sorted(set(keys))).encode("utf-8", "surrogatepass")).hexdigest()


def in_sample(content_hash: str, share: float) -> bool:
    """Whether an image belongs to a sample: a hash of its own, so that samples do not follow splits."""
    draw = hashlib.sha256(f"imagelake/sample\n{content_hash}".encode()).digest()
    return int.from_bytes(draw[:8], "big") < share * 2.0**64


def _is_made(condition: object) -> bool:
    """Whether a condition is made at all; a seed of 0 is one."""
    return condition is not None and condition is not False

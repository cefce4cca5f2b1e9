"""A small lake with everything in it that versions can go through."""

from __future__ import annotations

import io

from PIL import Image

from imagelake.client import lake
from imagelake.client.lake import Lake
from lakes import LakeMaker


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (8, 6)) -> bytes:
    """A PNG of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


class Pets:
    """A dataset with three versions, a second recipe of v2, aliases, rejections, uploads, runs and a crashed publish.

    v1: a (cat, dog), b (cat), c unlabelled, d labelled with nothing.
    v2: a's dog moved, b gone, e new. v3: b back as it was, a's bytes changed, d renamed to f.
    """

    def __init__(self, maker: LakeMaker) -> None:
        self.maker = maker
        self.bytes = {key: picture((i, i, i)) for i, key in enumerate(("a", "b", "c", "d", "e", "a2"))}
        self._first()
        self._second()
        self._third()
        maker.reject("pets", "box.degenerate", path="x.json", locator="7", raw="{}", upload_id="u1")
        maker.reject("pets", "box.degenerate", path="x.json", locator="8", raw="{}", upload_id="u1", closed=True)
        maker.run("r1", "run", "done", "pets")
        maker.run("r2", "publish", "failed", "pets")
        maker.run("r3", "build", None, "pets")
        maker.flush()
        self.lake: Lake = lake.open(str(maker.root))

    def _put(self, key: str, split: str | None, name: str | None = None, **values: object) -> None:
        data = self.bytes[name or key[0]]
        self.maker.image("pets", key, data, width=8, height=6, split=split, **values)

    def _first(self) -> None:
        m = self.maker
        self._put("a.png", "train")
        self._put("b.png", "test")
        self._put("c.png", "train", labelled=[])
        self._put("d.png", "val")
        m.box("pets", "a.png", "cat", (0, 0, 2, 2), source_id="1", source_document="x.json")
        self.dog = m.box("pets", "a.png", "dog", (4, 0, 2, 2), source_id="2", source_document="x.json")
        m.box("pets", "b.png", "cat", (1, 1, 3, 3), source_id="3", source_document="x.json")
        m.keep("pets", list(self.bytes.values()))
        m.deliver("pets")
        m.publish("pets", note="first", author="ann")
        m.flush()

    def _second(self) -> None:
        m = self.maker
        draft = m.draft("pets")
        draft.drop_box(self.dog)
        m.box("pets", "a.png", "dog", (4, 1, 2, 2), source_id="2", source_document="x.json")
        draft.drop_image("b.png")
        self._put("e.png", "train")
        m.box("pets", "e.png", "bird", (0, 0, 1, 1), source_id="9", source_document="y.json")
        m.deliver("pets")
        m.publish("pets", crash=True)
        m.publish("pets")
        splits = {key: "train" if key == "a.png" else "test" for key in draft.images}
        m.add_recipe("pets", 2, splits)
        m.alias("pets", "gold", 1)
        m.alias("pets", "best", 2, 2)
        m.alias("pets", "gone", 1)
        m.alias("pets", "gone", None)
        m.flush()

    def _third(self) -> None:
        m = self.maker
        self._put("b.png", "test")
        m.box("pets", "b.png", "cat", (1, 1, 3, 3), source_id="3", source_document="x.json")
        self._put("a.png", "train", "a2")
        m.draft("pets").drop_image("d.png")
        self._put("f.png", "val", "d")
        m.deliver("pets")
        m.publish("pets")
        m.alias("pets", "gold", 3)
        m.flush()

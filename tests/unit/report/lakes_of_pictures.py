"""Lakes whose pictures can be told apart, made without Spark."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

from PIL import Image

from lakes import LakeMaker

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    f"{SCRIPT}.png",
    "\"'><img src=x onerror=alert(1)>.png",
    "\u202egnp.exe\u2066.png",
    "line\nbreak\x1b[31m\x00.png",
    "long" * 1000 + ".png",
    "{{ 7 * 7 }}{% raw %}.png",
    "javascript:alert(1).png",
    "lone \ud800 surrogate.png".encode("utf-8", "replace").decode(),
)
"""Names as a stranger would choose them."""


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48), form: str = "PNG") -> bytes:
    """A picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, form)
    return out.getvalue()


def hostile(root: Path) -> LakeMaker:
    """A dataset in which everything a stranger may name is named to do harm; published twice, then changed."""
    lake = LakeMaker(root)
    data = [picture((10 * i, 90, 200 - 10 * i)) for i in range(len(HOSTILE))]
    for i, name in enumerate(HOSTILE):
        lake.image("bad", name, data[i], width=64, height=48, split=(SCRIPT, "\u202etset", "train")[i % 3])
        lake.box("bad", name, name.removesuffix(".png"), (4 * i, 4, 20, 20), source_id=SCRIPT, source_document=name)
    lake.keep("bad", data)
    lake.deliver("bad", source=f"file:///{SCRIPT}", note=SCRIPT, format="coco")
    quality = {"passed": False, "problems": [f"{SCRIPT} is wrong"]}
    lake.publish("bad", note=SCRIPT, author="\u202e" + SCRIPT, quality=json.dumps(quality), last_sequence=1)
    lake.flush()
    draft = lake.draft("bad")
    draft.drop_box(next(iter(draft.annotations.values())))
    draft.drop_image(HOSTILE[1])
    for name in HOSTILE:
        lake.reject(
            "bad",
            "annotation.box_degenerate",
            image_key=name,
            path=name,
            locator=SCRIPT,
            message=f"{SCRIPT} box x=4.0 y=4.0 w=0.0 h=9.0 \u202e",
            raw=name,
        )
    broken = data[0][:60]
    lake.keep("bad", [broken])
    raw = json.dumps({"content_hash": hashlib.sha256(broken).hexdigest(), "path": SCRIPT})
    lake.reject("bad", "image.unreadable", entity="image", path=SCRIPT, locator="file", message=SCRIPT, raw=raw)
    lake.deliver("bad", source=HOSTILE[2])
    lake.deliver("bad", "failed", source=SCRIPT, problem=SCRIPT)
    lake.flush()
    return lake

"""The PyTorch example of docs/training.md runs: images of several sizes, with several boxes, one, and none."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

from PIL import Image
from tests.integration.buckets import ROOT
from tests.integration.test_torch import torch_folder
from tests.lakes import LakeMaker
from tests.unit.documents import blocks

PAGE = ROOT / "docs" / "training.md"
SIZES = {"a.png": (64, 48), "b.png": (80, 60), "c.png": (96, 40)}
BOXES = {"a.png": [("cat", (1, 2, 10, 20)), ("dog", (30, 4, 8, 6))], "b.png": [("dog", (5, 5, 20, 10))], "c.png": []}

AFTER = """
import json
loaded = [pair for images, targets in loader for pair in zip(images, targets)]
shown = [[list(i.shape), t["boxes"].tolist(), t["labels"].tolist(), str(t["labels"].dtype)] for i, t in loaded]
print(json.dumps([shown, train.classes, [s.key for s in train.read(stream.indexes)], float(loaded[0][0].max())]))
"""


def lake_of_pets(maker: LakeMaker) -> None:
    contents = []
    for key, size in SIZES.items():
        out = io.BytesIO()
        Image.new("RGB", size, (255, size[0], 0)).save(out, "PNG")
        contents.append(out.getvalue())
        maker.image("pets", key, contents[-1], width=size[0], height=size[1], split="train")
        for category, box in BOXES[key]:
            maker.box("pets", key, category, box)
            maker.box("pets", key, category, box, kind="polygon", polygons=[[*box, box[0], box[1] + box[3]]])
    maker.keep("pets", contents)
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()


def test_the_example_makes_tensors_of_images_and_boxes(tmp_path) -> None:
    folder = torch_folder()
    lake_of_pets(maker := LakeMaker(tmp_path / "lake"))
    opening, (example,) = blocks(PAGE, "python")[0], (b for b in blocks(PAGE, "python") if "import torch" in b)
    opening = opening.replace("s3://bucket/lake", str(maker.root)).replace("pets@v3", "pets@v1")
    stream = "stream = train.stream(batch=2, shuffle=True, seed=7)"
    code = f"import sys\nsys.path.append({folder!r})\n{opening}\n{stream}\n{example}\n{AFTER}"
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown, classes, keys, brightest = json.loads(done.stdout.splitlines()[-1])
    assert sorted(keys) == sorted(SIZES)
    assert brightest == 1
    expected = []
    for key in keys:
        corners = [[x, y, x + w, y + h] for _, (x, y, w, h) in BOXES[key]]
        labels = [classes.index(category) + 1 for category, _ in BOXES[key]]
        by_label = sorted(zip(labels, corners, strict=True))
        expected.append([[3, SIZES[key][1], SIZES[key][0]], by_label, "torch.int64"])
    results = [[shape, sorted(zip(labels, boxes, strict=True)), kind] for shape, boxes, labels, kind in shown]
    assert results == expected

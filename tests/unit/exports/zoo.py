"""A small lake of every kind of label, and of names that are meant to do harm."""

from __future__ import annotations

from imagelake.client import lake
from imagelake.client.lake import Lake
from imagelake.geometry.run_lengths import write_runs
from lakes import LakeMaker
from pet_lake import picture

HOSTILE = '"\n<script>alert(1)</script> & =1+1 ../x: {y}'
KEYPOINTS = [1.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0]


def zoo(maker: LakeMaker, codec: str = "stored") -> Lake:
    """Images of 8 x 6 pixels; `turned.png` claims to be turned by EXIF; nobody labelled `new.png`."""
    images: dict[str, tuple[str, dict[str, object]]] = {
        "cats/A.png": ("train", {"attributes": '{"camera":"<x>","n":1}'}),
        "cats/a.png": ("train", {}),
        "turned.png": ("val", {"orientation": 6}),
        "none.png": ("val", {}),
        "new.png": ("test", {"labelled": []}),
        "=1+1 & 'x'.png": ("test", {"labelled": ["box", "class"]}),
    }
    contents = []
    draft = maker.draft("zoo")
    draft.category("animal", train_index=None)
    draft.category("cat", train_index=0, supercategory="animal", attributes='{"keypoints":["nose","ear","tail"]}')
    draft.category(HOSTILE, train_index=1)
    for place, (key, (split, values)) in enumerate(images.items()):
        contents.append(picture((place, place, place)))
        maker.image("zoo", key, contents[-1], width=8, height=6, split=split, **values)
    maker.box("zoo", "cats/A.png", "cat", (1, 1, 4, 3), attributes='{"occluded":true,"note":"</image>"}')
    maker.box("zoo", "cats/A.png", HOSTILE, (0, 0, 8, 6), is_crowd=True)
    parts = [[0.0, 0.0, 3.0, 0.0, 3.0, 2.0], [4.0, 4.0, 7.0, 4.0, 7.0, 5.5]]
    maker.box("zoo", "cats/a.png", HOSTILE, (0, 0, 7, 5.5), kind="polygon", polygons=parts)
    maker.box("zoo", "cats/a.png", "cat", (0, 0, 3, 2), kind="polygon", polygons=parts[:1])
    maker.box("zoo", "turned.png", "cat", (1, 2, 4, 3), keypoints=KEYPOINTS)
    counts = write_runs([6, 12, 30])
    maker.box("zoo", "turned.png", HOSTILE, (1, 0, 2, 6), kind="rle", rle_size=[6, 8], rle_counts=counts)
    maker.box("zoo", "=1+1 & 'x'.png", HOSTILE, None, kind="class")
    maker.keep("zoo", contents, codec)
    maker.deliver("zoo")
    maker.publish("zoo", settings='{"title":"The <zoo>","licence":"CC-BY-4.0"}')
    maker.flush()
    return lake.open(str(maker.root))

"""The dataset card of an `hf` export: what the hub and `datasets` read, in YAML, and what people read, below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagelake.core.plain_text import safe
from imagelake.exports import unique_names
from imagelake.exports.base import About, ExportContent
from imagelake.exports.layouts.hf_parquet.features import card_features

_TEXT = """
# {title}

Version {version} of the data set `{dataset}`: {images} images, {annotations} annotations.

- `image` holds the bytes as they were uploaded. Sizes and coordinates are pixels from the top left corner of the image
  as EXIF shows it, which is how `datasets` decodes it.
- `objects`: `bbox` is x, y, width, height; `polygons` are parts, each x1, y1, x2, y2, …; `mask_size` (height, width)
  and `mask_counts` are COCO's compressed run lengths; `keypoints` are x, y, v, …; `attributes` are JSON objects.
- `classes` are labels of the whole image. `labelled` names the kinds that somebody looked for: of others there may be
  objects that nobody marked.
"""


def card(content: ExportContent, counts: Mapping[str, int], sizes: Mapping[str, int]) -> bytes:
    """README.md. counts: images by split; sizes: bytes of its files."""
    import yaml

    head = yaml.safe_dump(_head(content, counts, sizes), sort_keys=False, allow_unicode=False)
    about = content.about
    text = _TEXT.format(
        title=_plain(about.title or about.dataset),
        version=about.version,
        dataset=about.dataset,
        images=len(content.samples),
        annotations=content.samples.boxes.rows.num_rows,
    )
    return f"---\n{head}---\n{text}".encode()


def _head(content: ExportContent, counts: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, Any]:
    total = sum(sizes.values())
    info = {
        "features": card_features(unique_names.class_names(content.samples.classes)),
        "splits": [{"name": name, "num_bytes": sizes[name], "num_examples": counts[name]} for name in counts],
        "download_size": total,
        "dataset_size": total,
    }
    files = [{"split": name, "path": f"data/{name}-*"} for name in counts]
    return {
        **_described(content.about),
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": info,
    }


def _described(about: About) -> dict[str, Any]:
    described: dict[str, Any] = {"pretty_name": about.title or about.dataset}
    if about.licence is not None:
        described |= {"license": "other", "license_name": about.licence}
    return described | ({"tags": list(about.tags)} if about.tags else {})


def _plain(text: str) -> str:
    """A title that is no markup of Markdown or HTML."""
    return "".join(f"&#{ord(char)};" if char in "<>&[]()`*_#!|\\" else char for char in safe(text))

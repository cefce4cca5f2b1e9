"""imagelake: a medallion lakehouse for image datasets.

    lake = imagelake.open("./lake")
    lake.show("pets"); lake.diff("pets@v2", "pets@v3"); lake.sql("select …", at="pets@v3")
    train = lake.load("pets@v3", split="train")

Names are imported when they are first used, so that a command line starts fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagelake.client.data.sample import Annotation, Sample
    from imagelake.client.data.samples import Samples
    from imagelake.client.lake import Lake, open
    from imagelake.errors import (
        ConfigError,
        Conflict,
        GateFailed,
        ImagelakeError,
        IntegrityError,
        LakeFormatError,
        Locked,
        NotFound,
        UploadRejected,
        UsageError,
    )

    __version__: str

_ERRORS = (
    "ConfigError",
    "Conflict",
    "GateFailed",
    "ImagelakeError",
    "IntegrityError",
    "LakeFormatError",
    "Locked",
    "NotFound",
    "UploadRejected",
    "UsageError",
)
_HOMES = {
    "Lake": "imagelake.client.lake",
    "open": "imagelake.client.lake",
    "Annotation": "imagelake.client.data.sample",
    "Sample": "imagelake.client.data.sample",
    "Samples": "imagelake.client.data.samples",
    **dict.fromkeys(_ERRORS, "imagelake.errors"),
}

__all__ = [
    "Annotation",
    "ConfigError",
    "Conflict",
    "GateFailed",
    "ImagelakeError",
    "IntegrityError",
    "Lake",
    "LakeFormatError",
    "Locked",
    "NotFound",
    "Sample",
    "Samples",
    "UploadRejected",
    "UsageError",
    "__version__",
    "open",
]


def __getattr__(name: str) -> Any:
    """The public names, on first use (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("imagelake")
    if name not in _HOMES:
        raise AttributeError(f"module 'imagelake' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

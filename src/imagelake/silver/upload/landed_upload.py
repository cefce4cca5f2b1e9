"""One upload to build, as bronze recorded it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagelake.formats.base import Detection


@dataclass(frozen=True)
class LandedUpload:
    """The newest row of an upload; `row` is the whole of it."""

    row: Mapping[str, Any]

    @property
    def dataset(self) -> str:
        """Dataset id."""
        return str(self.row["dataset"])

    @property
    def sequence(self) -> int:
        """Sequence of the upload, which is also the number of its build."""
        return int(self.row["sequence"])

    @property
    def upload_id(self) -> str:
        """Content id of the upload."""
        return str(self.row["upload_id"])

    @property
    def attempt_id(self) -> str:
        """The ingest attempt whose files count."""
        return str(self.row["attempt_id"])

    @property
    def mode(self) -> str:
        """append, update, replace or remove."""
        return str(self.row["mode"])

    @property
    def format(self) -> str | None:
        """The reader that was chosen; None for a removal."""
        return None if self.row["format"] is None else str(self.row["format"])

    @property
    def again(self) -> bool:
        """Whether it is to be applied although newer uploads changed what it brings."""
        return bool(self.row["again"])

    @property
    def recognition(self) -> dict[str, Any]:
        """What ingest noted when it recognised the upload (`Choice.as_json` and more); empty for a removal."""
        return dict(json.loads(self.row["detection"] or "{}"))

    @property
    def labels_not_read(self) -> str | None:
        """A sentence on labels that no reader takes, if there are any."""
        kinds = self.recognition.get("unread", {}).get("kinds")
        return f"labels that no reader takes: {'; '.join(kinds)}" if kinds else None

    @property
    def detection(self) -> Detection:
        """The detection of the chosen reader at ingest."""
        chosen = self.recognition["chosen"]
        return Detection(
            chosen["format"], chosen["score"], tuple(chosen["documents"]), tuple(chosen["meta"]), tuple(chosen["lacks"])
        )

    @property
    def has_documents(self) -> bool:
        """Whether it brought annotation documents: only then can an image be unlisted."""
        return self.mode != "remove" and bool(self.detection.documents)

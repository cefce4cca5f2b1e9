"""Values as text of XML documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagelake.exports.folder import ExportFolder

_NO_TEXT = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document holds, and carriage returns, which its readers change."""


def xml_text(value: Any, folder: ExportFolder) -> str:
    """A value as text: true is 1, false is 0, None is empty. What XML cannot hold is counted; the writer escapes."""
    if value is None:
        return ""
    text = str(int(value)) if isinstance(value, bool) else str(value)
    folder.lose("characters that XML cannot hold: their code is written", len(_NO_TEXT.findall(text)))
    return _NO_TEXT.sub(lambda match: f"\\u{ord(match[0]):04x}", text)

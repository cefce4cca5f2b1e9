"""Settings files as YAML 1.2 reads them: of all words only `true` and `false` are booleans, `off` and `no` are text."""

from __future__ import annotations

import re
from typing import Any

import yaml

_BOOLEAN = "tag:yaml.org,2002:bool"
_SAFE: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE):  # type: ignore[valid-type,misc]
    """Constructs plain data only."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in _SAFE.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def load_yaml(text: str | bytes) -> Any:
    """The data in a YAML text, without tags; yaml.YAMLError when it is not YAML, UnicodeDecodeError for other bytes."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  a safe loader

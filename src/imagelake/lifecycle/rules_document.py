"""A bucket's lifecycle configuration as the bytes it is: rules are read from it, and exchanged in place.

What belongs to others stays byte for byte, elements that no client library knows included: a configuration that is
parsed and written anew loses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from xml.parsers import expat

from imagelake.errors import IntegrityError

_HEAD = b'<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
_TAIL = b"</LifecycleConfiguration>"
_VERBATIM = frozenset(("ID", "Prefix", "Key", "Value"))
"""Elements whose spaces mean something: they are parts of names."""


@dataclass(frozen=True)
class RuleContent:
    """The content of a rule, independent of element order and form.

    `narrowed`: what else its filter asks of an object (tags, sizes); `actions`: (element, its parts).
    """

    rule_id: str
    enabled: bool
    prefix: str
    narrowed: frozenset[object]
    actions: frozenset[tuple[str, object]]

    def parts(self, action: str) -> list[dict[str, str]]:
        """The parts of each action of that name, those with parts of their own left out."""
        values = (value for name, value in self.actions if name == action and isinstance(value, frozenset))
        return [{key: part for key, part in value if isinstance(part, str)} for value in values]


@dataclass(frozen=True)
class Stored:
    """A rule as it stands in a configuration."""

    raw: bytes
    start: int
    content: RuleContent
    normalised: bytes
    """What to send in its place: RGW writes a prefix beside And, but reads it only inside."""


@dataclass(frozen=True)
class Configuration:
    """The answer of a bucket: the document, None when it has no rules, and the default minimum size of transitions."""

    data: bytes | None
    minimum: str | None = None

    @cached_property
    def rules(self) -> tuple[Stored, ...]:
        """Its rules, in their order. IntegrityError when it is of no form known."""
        if self.data is None:
            return ()
        return tuple(_stored(self.data, node) for node in _parse(self.data).children if node.tag == "Rule")


@dataclass
class _Node:
    tag: str
    start: int
    text: str = ""
    children: list[_Node] = field(default_factory=list)
    close: int = 0
    end: int = 0

    def child(self, tag: str) -> _Node | None:
        return next((node for node in self.children if node.tag == tag), None)


def content_of(rule: bytes) -> RuleContent:
    """Parse the content of one rule."""
    return Configuration(_HEAD + rule + _TAIL).rules[0].content


def exchange(
    before: Configuration, old: Iterable[Stored], new: Sequence[bytes], default_rule: bytes | None = None
) -> bytes | None:
    """The document without the `old` rules and with the `new` ones at its end; None when no rule is left.

    `default_rule` comes first where there was no configuration.
    """
    if before.data is None or not before.rules:
        rules = [*([default_rule] if default_rule and new and before.data is None else ()), *new]
        return _HEAD + b"".join(rules) + _TAIL if rules else None
    gone = {rule.start for rule in old}
    edits = [(rule.start, rule.raw, rule.normalised if rule.start not in gone else b"") for rule in before.rules]
    close = _parse(before.data).close
    if not new and len(gone) == len(before.rules):
        return None
    out, at = [], 0
    for start, raw, instead in edits:
        out += [before.data[at:start], instead]
        at = start + len(raw)
    return b"".join((*out, before.data[at:close], *new, before.data[close:]))


def _stored(data: bytes, node: _Node) -> Stored:
    raw = data[node.start : node.end]
    return Stored(raw, node.start, _content(node), _normalised(data, node))


def _normalised(data: bytes, rule: _Node) -> bytes:
    """The rule with all parts of its filter inside And, where it has one."""
    filters = rule.child("Filter")
    both = filters.child("And") if filters else None
    aside = [node for node in filters.children if node is not both] if filters and both else []
    if both is None or not aside:
        return data[rule.start : rule.end]
    out, at = b"", rule.start
    moved = b"".join(data[node.start : node.end] for node in aside)
    cuts = sorted([(node.start, node.end, b"") for node in aside] + [(both.close, both.close, moved)])
    for start, end, instead in cuts:
        out += data[at:start] + instead
        at = end
    return out + data[at : rule.end]


def _content(rule: _Node) -> RuleContent:
    filters = rule.child("Filter")
    conditions = list(_conditions(filters)) if filters else []
    prefix = next((node.text for node in conditions if node.tag == "Prefix"), None)
    if prefix is None:
        prefix = _text(rule, "Prefix")
    own_tags = ("ID", "Status", "Prefix", "Filter")
    return RuleContent(
        _text(rule, "ID"),
        _text(rule, "Status").strip() == "Enabled",
        prefix,
        frozenset((node.tag, _value(node)) for node in conditions if node.tag != "Prefix"),
        frozenset((node.tag, _value(node)) for node in rule.children if node.tag not in own_tags),
    )


def _conditions(filters: _Node) -> Iterable[_Node]:
    for node in filters.children:
        yield from node.children if node.tag == "And" else (node,)


def _text(rule: _Node, tag: str) -> str:
    node = rule.child(tag)
    return node.text if node else ""


def _value(node: _Node) -> object:
    """An element's content: text, or the set of its parts. Stores write midnight with and without milliseconds."""
    if node.children:
        return frozenset((child.tag, _value(child)) for child in node.children)
    text = node.text if node.tag in _VERBATIM else node.text.strip()
    return text.replace(".000Z", "Z") if node.tag == "Date" else text


def _parse(data: bytes) -> _Node:
    """The document as a tree whose nodes know their places in the bytes."""
    parser = expat.ParserCreate("utf-8")
    top = _Node("", 0)
    open_nodes = [top]

    def start(name: str, _: dict[str, str]) -> None:
        node = _Node(name.rpartition(":")[2], parser.CurrentByteIndex)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def text(characters: str) -> None:
        open_nodes[-1].text += characters

    def end(_: str) -> None:
        node, at = open_nodes.pop(), parser.CurrentByteIndex
        # of <a/> the parser tells the byte after it, of </a> its first
        empty = not node.children and not node.text and data[at - 2 : at] == b"/>"
        node.close, node.end = at, at if empty else data.index(b">", at) + 1

    def refuse(*_: object) -> None:
        raise IntegrityError("the lifecycle configuration declares a document type, which S3 does not know")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise IntegrityError(f"the lifecycle configuration is no XML: {error}") from None
    (root,) = top.children
    if root.tag != "LifecycleConfiguration" or data[root.start : root.start + 1 + len(root.tag)] != _HEAD[:23]:
        raise IntegrityError(f"the lifecycle configuration begins with <{root.tag}>, not <LifecycleConfiguration>")
    return root

"""Reads a page as a browser's parser would, to ask what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(("meta", "br", "img", "link", "input", "hr"))


@dataclass
class Element:
    """An element with its attributes and what is in it: elements and texts, in their order."""

    tag: str
    attributes: dict[str, str]
    content: list[Element | str] = field(default_factory=list)

    @property
    def children(self) -> list[Element]:
        """The elements in it."""
        return [c for c in self.content if isinstance(c, Element)]

    @property
    def own_text(self) -> list[str]:
        """The texts in it."""
        return [c for c in self.content if isinstance(c, str)]

    def all(self, tag: str | None = None, **attributes: str) -> list[Element]:
        """Elements below, in their order; `class_` needs one of the classes."""
        return [e for e in self._below() if (tag is None or e.tag == tag) and e._has(attributes)]

    def one(self, tag: str | None = None, **attributes: str) -> Element:
        """The only such element."""
        (only,) = self.all(tag, **attributes)
        return only

    @property
    def text(self) -> str:
        """Its text and that of everything below, with single spaces."""
        return " ".join(self._whole_text().split())

    def _whole_text(self) -> str:
        return "".join(c if isinstance(c, str) else c._whole_text() for c in self.content)

    def _below(self) -> Iterator[Element]:
        for child in self.children:
            yield child
            yield from child._below()

    def _has(self, attributes: dict[str, str]) -> bool:
        return all(
            value in self.attributes.get("class", "").split()
            if name == "class_"
            else self.attributes.get(name) == value
            for name, value in attributes.items()
        )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("page", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].content.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


def read(html: str) -> Element:
    """The page; AssertionError where an element is not closed in its place."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [reader.root], [e.tag for e in reader.open]
    return reader.root

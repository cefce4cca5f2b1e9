"""XML from strangers as a small tree: no DTD, no entities, bounded depth and number of elements."""

from __future__ import annotations

import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, tostring
from xml.parsers.expat import ErrorString

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from imagelake.formats.small_documents import MAX_RAW, Unreadable

MAX_DEPTH = 64
MAX_ELEMENTS = 500_000

_DECLARATION = re.compile(rb"<\?xml\b[^<>]{0,200}?\bencoding\s*=\s*[\"']([A-Za-z][\w.:-]{0,40})[\"']")
_CODE_PAGES = frozenset(
    (
        *("gb2312", "gbk", "gb18030", "hz", "big5", "big5hkscs", "cp950"),
        *("shift_jis", "shift_jis_2004", "shift_jisx0213", "cp932", "euc_jp", "euc_jis_2004", "euc_jisx0213"),
        *("iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext"),
        *("euc_kr", "cp949", "johab", "iso2022_kr"),
    )
)
"""Of several bytes a character, which the XML parser does not know; where one is declared, it is certain."""

_EXTENDED = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}
"""The pages that what calls itself so is written in: larger ones of the same characters (WHATWG, Encoding Standard)."""

_COMMENT = re.compile(r"<!--.*?(?:-->|$)", re.DOTALL)
_START_TAG = re.compile(r"<([A-Za-z_][\w.:-]*)")
_FLAGS = ("0", "1")


class _Bounded(TreeBuilder):
    """Builds the tree and refuses one that is too deep or too wide, before it fills the memory."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def start(self, tag: Any, attrs: Any, /) -> Any:
        """Counts, then builds."""
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable("document.too_deep", f"elements are nested more than {MAX_DEPTH} deep")
        if self._count > MAX_ELEMENTS:
            raise Unreadable("document.too_many_items", f"the document has more than {MAX_ELEMENTS} elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        """Counts back, then builds."""
        self._depth -= 1
        return super().end(tag)


def parse_xml(data: bytes) -> Element:
    """The root element; Unreadable when it is no XML, or declares a DTD or entities."""
    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=True)
    text = _text(data)
    try:
        parser.feed(text)
        root: Element = parser.close()
    except DefusedXmlException:
        raise Unreadable("document.xml_forbidden", "a DTD or an entity is declared; neither is allowed") from None
    except ParseError as problem:
        line, column = problem.position
        locator = f"line {line} column {column + 1}"
        raise Unreadable("document.invalid_xml", f"no XML: {ErrorString(problem.code)}", locator) from None
    except (ValueError, LookupError) as problem:
        if isinstance(problem, Unreadable):
            raise
        raise Unreadable("document.invalid_xml", f"no XML: {problem}") from None
    return root


def _text(data: bytes) -> bytes | str:
    """A document in a code page it declares as text, any other as it is; Unreadable when it is not in that page."""
    page = _code_page(data)
    if page is None:
        return data
    try:
        return data.decode(_EXTENDED.get(page, page))
    except UnicodeDecodeError as problem:
        value = f"byte 0x{data[problem.start]:02X} at {problem.start}"
        message = f"the document is not {page}, as it declares ({value}); save it as UTF-8"
        raise Unreadable("document.invalid_xml", message) from None


def _code_page(data: bytes) -> str | None:
    """The codec of the code page of several bytes a character that a document declares; None for any other."""
    declaration = _DECLARATION.match(data)
    if declaration is None:
        return None
    name = normalize_encoding(declaration.group(1).decode("ascii")).lower()
    page = aliases.get(name, name)
    return page if page in _CODE_PAGES else None


def root_name(head: bytes) -> str | None:
    """The name of the root element by the beginning of a document; None when it shows none."""
    match = _START_TAG.search(_COMMENT.sub("", decode_head(head)))
    return match.group(1) if match else None


def decode_head(head: bytes) -> str:
    """The beginning of a document as text, by its byte-order mark or the code page it declares."""
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    page = "utf-16" if wide else _code_page(head) or "utf-8-sig"
    return head.decode(_EXTENDED.get(page, page), "replace")


def text_of(element: Element | None) -> str:
    """The text of an element without surrounding space; empty when there is no element."""
    return (element.text or "").strip() if element is not None else ""


def value_of(element: Element) -> Any:
    """An element as plain data: text, or members by name with repeated ones as a list; nothing at all is None."""
    return members_of(element, ()) or text_of(element) or None


def members_of(element: Element, fields: tuple[str, ...]) -> dict[str, Any]:
    """Attributes and child elements by name, those of `fields` left out."""
    grouped: dict[str, list[Element]] = {}
    for child in element:
        if child.tag not in fields:
            grouped.setdefault(child.tag, []).append(child)
    members: dict[str, Any] = dict(element.attrib)
    for name, children in grouped.items():
        values = [value_of(child) for child in children]
        members[name] = values[0] if len(values) == 1 else values
    return members


def flag(value: Any) -> Any:
    """`0` and `1` as numbers, anything else as it is."""
    return int(value) if value in _FLAGS else value


def fragment(element: Element) -> str:
    """An element as compact XML for a rejection row."""
    for part in element.iter():
        part.text = (part.text or "").strip() or None
        part.tail = None
    return tostring(element, encoding="unicode")[:MAX_RAW]

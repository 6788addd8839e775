"""XML as bytes: find elements and change a few places, so that all others stay exactly as they were. Pure.

A parser that writes the tree again would change prefixes, entities and spaces. So tags are found by one regular
expression, over text that expat has found to be well-formed and without a document type (where entities would be).
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from html import unescape
from typing import NamedTuple
from xml.parsers import expat

from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle

# A comment, CDATA section, instruction or tag. Possessive, so that hostile text costs no second look.
_ATTRIBUTES = rb"""(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+"""
TOKEN = re.compile(
    rb"<(?:!--.*?-->|!\[CDATA\[.*?\]\]>|\?.*?\?>|(?P<end>/?)(?P<name>[^\s<>/!?\"'=]++)(?P<attributes>"
    + _ATTRIBUTES
    + rb")>)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"""([^\s=/]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_DECLARATION = re.compile(rb"^(\xef\xbb\xbf)?<\?xml\b.*?\?>", re.DOTALL)
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", b"<\0?\0": "utf-16-le", b"\0<\0?": "utf-16-be"}
_LATIN = {"iso-8859-1", "latin1", "windows-1252", "cp1252", "iso-8859-15"}
# What XML cannot hold, and the line ends and tabs that an attribute would lose.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


MOST_ELEMENTS = 100_000  # listed at once: about 50 MB


class Element(NamedTuple):
    """An element by its places in the text. In an empty one (`<a/>`) all inner places are its end."""

    name: bytes  # without prefix
    attributes: dict[str, str]  # by name as written, prefix included
    depth: int  # 1 is the root
    start: int
    content: int  # behind the start tag
    content_end: int  # the end tag begins here
    end: int
    children: int  # elements directly inside

    @property
    def is_empty_tag(self) -> bool:
        """Whether it is written as `<a/>`."""
        return self.content == self.end


def elements(xml: bytes, depth: int) -> list[Element]:
    """List the elements down to `depth`, in the order of their ends. Raises CannotWriteInPlace for odd XML."""
    check(xml)
    found: list[Element] = []
    open_tags: list[list[int]] = []  # start, content, children
    attributes: list[bytes] = []
    for token in TOKEN.finditer(xml):
        name = token["name"]
        if name is None:
            continue
        if len(found) > MOST_ELEMENTS:
            raise CannotWriteInPlace(Obstacle.TOO_LARGE, "elements")
        local = name.rpartition(b":")[2]
        level = len(open_tags)
        if token["end"]:
            start, content, children = open_tags.pop()
            raw = attributes.pop()
            if level <= depth:
                found.append(
                    Element(local, attributes_of(raw), level, start, content, token.start(), token.end(), children)
                )
            continue
        if open_tags:
            open_tags[-1][2] += 1
        raw = token["attributes"]
        if raw.endswith(b"/"):
            if level < depth:
                end = token.end()
                found.append(Element(local, attributes_of(raw), level + 1, token.start(), end, end, end, 0))
        else:
            open_tags.append([token.start(), token.end(), 0])
            attributes.append(raw)
    return found


def check(xml: bytes) -> None:
    """Raise CannotWriteInPlace for XML that is not well-formed or has a document type."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, str(error)) from error


def _refuse_document_type(*_: object) -> None:
    raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "document type")


def attributes_of(raw: bytes) -> dict[str, str]:
    """Read the attributes of a start tag."""
    found = {}
    for name, double, single in _ATTRIBUTE.findall(raw):
        found[name.decode("utf-8", "replace")] = unescape((double or single).decode("utf-8", "replace"))
    return found


def prefix_of(name: bytes) -> bytes:
    """The prefix of a name with its colon; empty without one."""
    prefix, colon, _ = name.rpartition(b":")
    return prefix + colon


def root_prefix(xml: bytes) -> bytes:
    """The prefix of the root element with its colon. Elements that are added take it over."""
    for token in TOKEN.finditer(xml):
        if token["name"] is not None:
            return prefix_of(token["name"])
    raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "no element")


def spliced(xml: bytes, changes: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Replace each `xml[start:end]` by other bytes. The places must not overlap."""
    out, done = [], 0
    for start, end, new in sorted(changes, key=lambda change: change[:2]):
        out += [xml[done:start], new]
        done = end
    return b"".join([*out, xml[done:]])


def with_attribute(tag: bytes, name: str, value: str) -> bytes:
    """A start tag with another value of one attribute, which is added when it was not there."""
    key, new = name.encode(), quoted(value)
    pattern = re.compile(rb"(\s" + re.escape(key) + rb"\s*=\s*)(?:\"[^\"]*\"|'[^']*')")
    changed, count = pattern.subn(lambda match: match[1] + new, tag, count=1)
    if count:
        return changed
    cut = len(tag) - (2 if tag.endswith(b"/>") else 1)
    return tag[:cut].rstrip() + b" " + key + b"=" + new + tag[cut:]


def escaped(text: str) -> bytes:
    """Text as element content. What XML cannot hold is left out."""
    text = _NOT_IN_XML.sub("", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return text.encode("utf-8", "replace")


def quoted(text: str) -> bytes:
    """Text as an attribute's value, with its quotes."""
    inner = escaped(text).replace(b'"', b"&quot;").replace(b"\n", b"&#10;").replace(b"\t", b"&#9;")
    return b'"' + inner + b'"'


def encoding_of(head: bytes) -> str:
    """The encoding of a part by its first bytes. Raises CannotWriteInPlace for one that no program writes."""
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return encoding
    declaration = _DECLARATION.match(head)
    named = _ENCODING.search(declaration[0]) if declaration else None
    name = named[1].decode("ascii").lower() if named else "utf-8"
    if name in ("utf-8", "utf8", "us-ascii", "ascii"):
        return "utf-8"
    if name in _LATIN:
        return name
    raise CannotWriteInPlace(Obstacle.ODD_MARKUP, f"encoding {name}")


def as_utf8(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The text in UTF-8, whatever it was, under a declaration that says so. UTF-8 comes through untouched."""
    source = iter(pieces)
    head = b""
    while len(head) < 200 and (piece := next(source, None)) is not None:
        head += piece
    encoding = encoding_of(head)
    if encoding == "utf-8":
        yield head
        yield from source
        return
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        first = decoder.decode(head).lstrip("\ufeff").encode("utf-8", "surrogatepass")
        yield _DECLARATION.sub(b'<?xml version="1.0" encoding="UTF-8"?>', first, count=1)
        for piece in source:
            yield decoder.decode(piece).encode("utf-8")
        yield decoder.decode(b"", final=True).encode("utf-8")
    except UnicodeError as error:
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "encoding") from error


def whole(pieces: Sequence[bytes] | Iterable[bytes]) -> bytes:
    """A small part in UTF-8."""
    return b"".join(as_utf8(pieces))


def text_of(content: bytes) -> str:
    """The text of an element that holds nothing but text."""
    return unescape(content.decode("utf-8", "replace"))

"""One response of a source: status, headers and body, parsed in its format on first use.

The same class holds a response from the network and a saved sample, so that a recipe's test proves what a job will do.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from lxml import etree
from parsel import Selector
from w3lib.encoding import html_to_unicode, http_content_type_encoding

from portal.sources.http.clean import clean_json, clean_text
from portal.sources.recipes.model import AnswerReading

LONGEST_CELL = 100_000  # characters, in CSV
MOST_ATTRIBUTES = 1000  # of one element: the parser's time grows with their square
DECODED = ("", "identity", "gzip", "x-gzip", "deflate")  # what a body may be compressed with: we ask for no other
FALLBACK = "cp1252"  # for bytes that say nothing and are no UTF-8: Latin-1, as browsers read it


class UnreadableResponse(ValueError):
    """The body is not what the source's kind says it is, JSON or a page. The text says why, as `words` knows it."""


@dataclass
class SourceResponse:
    """A response. Header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True  # False: longer than the limit, and cut there
    reading: AnswerReading = field(default_factory=AnswerReading)
    cookies: tuple[Mapping[str, Any], ...] = ()  # that it set, as `cookies` writes them
    why: str = ""  # why it cannot be used, where its verdict does not come from its content
    verdict: str = ""  # set once it is classified, so that the rules are checked once
    about: tuple[str, ...] = ()  # the numbers, or the ticket, that were asked about
    is_outdated: bool = False  # it refuses a value that was kept for too long
    sent_at: int = 0  # the moment of its request, as `refusals` counts

    def __post_init__(self) -> None:
        self.headers = {name.lower(): value for name, value in self.headers.items()}

    @cached_property
    def text(self) -> str:
        """The body as clean text, in the charset that the recipe, its header, its own beginning or its bytes tell. What
        that charset cannot read is U+FFFD."""
        kind = self.headers.get("content-type", "")
        if self.reading.charset:
            decoded = self.body.decode(self.reading.charset, "replace").removeprefix("\ufeff")
        elif "html" in kind.lower() or "xml" in kind.lower() or (not kind and self.body.lstrip()[:1] == b"<"):
            decoded = html_to_unicode(kind or None, self.body, auto_detect_fun=_guessed)[1]
        else:
            decoded = self.body.decode(self._charset(), "replace").removeprefix("\ufeff")
        return clean_text(decoded)

    def _charset(self) -> str:
        """The charset of a body that is no page."""
        if self.reading.charset:
            return self.reading.charset
        declared = http_content_type_encoding(self.headers.get("content-type", ""))
        if declared:
            return declared
        by_first_bytes = json.detect_encoding(self.body)
        return by_first_bytes if not by_first_bytes.startswith("utf-8") else _guessed(self.body)

    @cached_property
    def lower(self) -> str:
        return self.text.lower()

    def _check_body(self) -> None:
        """Raises UnreadableResponse for a body that no format can be read from."""
        if not self.whole:
            raise UnreadableResponse("longer than its limit")
        if not self.body.strip():
            raise UnreadableResponse("empty")
        encoding = self.headers.get("content-encoding", "").lower()
        if encoding not in DECODED:
            raise UnreadableResponse(f"compressed with {encoding}")

    @cached_property
    def json(self) -> Any:
        """The body as JSON. Raises UnreadableResponse."""
        self._check_body()
        try:
            text = self.body.decode(self._charset()).removeprefix("\ufeff")
        except UnicodeError as error:
            raise UnreadableResponse("not in its charset") from error
        try:
            return clean_json(json.loads(text), text)
        except (ValueError, RecursionError) as error:
            raise UnreadableResponse("not JSON") from error

    @property
    def content(self) -> Any:
        """The body in the format of the source: a JSON value, the rows of CSV, the tree of a page or of XML, a text, or
        the values of a form by their names. Raises UnreadableResponse."""
        match self.reading.format:
            case "html":
                return self.page
            case "xml":
                return self.xml
            case "csv":
                return self.rows
            case "text":
                return self.plain_text
            case "form":
                return self.form
            case _:
                return self.json

    @property
    def has_other_format(self) -> bool:
        """Whether there is a body, and it is not in the format of the source."""
        try:
            return bool(self.body.strip()) and self.content is None
        except UnreadableResponse:
            return True

    @cached_property
    def page(self) -> Selector:
        """The body as a page. Raises UnreadableResponse."""
        self._check_body()
        kind = self.headers.get("content-type", "").lower()
        if not self.text.strip() or (kind and "html" not in kind and "xml" not in kind):
            raise UnreadableResponse("not a page")
        if most_attributes(self.text) > MOST_ATTRIBUTES:
            raise UnreadableResponse("not a page")  # to read it would take a core for many seconds
        return Selector(self.text)

    @cached_property
    def xml(self) -> Selector:
        """The body as XML. Raises UnreadableResponse, also for XML that is not well-formed or defines entities."""
        self._check_body()
        text = _XML_DECLARATION.sub("", self.text.lstrip())
        # Entities can be made to grow without end, and no API needs them.
        if "<!ENTITY" in text or most_attributes(text) > MOST_ATTRIBUTES:
            raise UnreadableResponse("not XML")
        parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False)
        try:
            root = etree.fromstring(text.encode(), parser)
        except etree.XMLSyntaxError as error:
            raise UnreadableResponse("not XML") from error
        return Selector(root=root, type="xml", namespaces=dict(self.reading.namespaces) or None)

    @cached_property
    def rows(self) -> list[Any]:
        """The rows of CSV: by the names of its header, or lists of texts without one. Raises UnreadableResponse."""
        text = self.plain_text
        first = text.lstrip().partition("\n")[0]
        delimiter = self.reading.delimiter or max(DELIMITERS, key=first.count)
        try:
            rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
        except csv.Error as error:
            raise UnreadableResponse("not CSV") from error
        # A quote that is never closed swallows the rest. The module's own limit is the process's, and readers of files
        # have set it higher.
        if any(len(cell) > LONGEST_CELL for row in rows for cell in row):
            raise UnreadableResponse("not CSV")
        rows = [[cell.strip() for cell in row] for row in rows]
        if not self.reading.header:
            return rows
        return [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]

    @cached_property
    def form(self) -> dict[str, str]:
        """The values of a body that is written as a form is sent, `a=1&b=2`: the first of each name. Raises
        UnreadableResponse."""
        text = self.plain_text.strip()
        if "=" not in text:
            raise UnreadableResponse("not a form")
        pairs = parse_qsl(text, keep_blank_values=True, encoding=self._charset(), errors="replace")
        found: dict[str, str] = {}
        for name, value in pairs:
            found.setdefault(name, clean_text(value))
        return found

    @cached_property
    def plain_text(self) -> str:
        """The body as plain text, whatever its type says. Raises UnreadableResponse for a page."""
        self._check_body()
        if _PAGE.match(self.text):
            raise UnreadableResponse("not a text")
        return self.text


def _guessed(body: bytes) -> str:
    """UTF-8 if the bytes are; a character that is cut off at the end, as the body may be, is no fault."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return FALLBACK
    return "utf-8"


DELIMITERS = ",;\t|"
_XML_DECLARATION = re.compile(r"<\?xml\b[^>]*\?>")
_PAGE = re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
# As parsers read it: a quote begins a value only after "=", and a slash parts attributes as a space does.
_TAG = re.compile(r"<[a-zA-Z](?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')|=)*+")
_QUOTED = re.compile(r"=\s*+(?:\"[^\"]*+\"|'[^']*+')")
_SEPARATOR = re.compile(r"[\s/]++")
_ATTRIBUTE = re.compile(r"[\s\"'][^\s=>\"']++=")


def most_attributes(page: str) -> int:
    """About how many attributes the page's richest element has. Only long tags are counted."""
    most = 0
    for tag in _TAG.finditer(page):
        text = tag[0]
        if len(text) <= 2 * MOST_ATTRIBUTES:
            continue
        bare = _QUOTED.sub("=", text)
        # The last figure is for quotes that only look like a pair.
        most = max(most, len(_SEPARATOR.findall(bare)), bare.count("="), len(_ATTRIBUTE.findall(text)))
    return most

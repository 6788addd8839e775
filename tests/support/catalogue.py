"""The Spanish catalogue for tests: its messages, and the texts of a page that are still English."""

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from zoneinfo import available_timezones

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from portal.config import ROOT

SPANISH = ROOT / "portal" / "translations" / "es" / "LC_MESSAGES" / "messages.po"
# English words that never occur in our Spanish sentences.
ENGLISH = re.compile(
    r"\b(the|of|your|you|and|is|are|was|with|for|to|in|at|not|it|this|that|rows?|files?|numbers?|jobs?|status|retry|"
    r"retries|retrying|attempts?|waiting|ready|found|failed|completed|cancelled|download|upload|delete|password|sign|"
    r"about|left|ago|nothing|every|all|by)\b",
    re.IGNORECASE,
)


@cache
def catalogue() -> Catalog:
    with SPANISH.open("rb") as file:
        return read_po(file, locale="es")


def messages() -> list[Message]:
    return [message for message in catalogue() if message.id]


def both_texts(message: Message) -> Iterator[tuple[str, str]]:
    """English and Spanish of each plural form, as pairs."""
    if isinstance(message.id, str):
        yield message.id, message.string  # type: ignore[misc]
    else:
        yield from zip(message.id, message.string, strict=True)


class PageTexts(HTMLParser):
    """The texts of a page that a person sees or hears, without code and the contents of cells."""

    HEARD = ("title", "aria-label", "placeholder", "alt", "data-label")
    SILENT = ("script", "style", "code", "bdi")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.silent = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in self.SILENT
        self.texts += [value for name, value in attrs if value and (name in self.HEARD or name.startswith("data-text"))]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in self.SILENT

    def handle_data(self, data: str) -> None:
        if not self.silent and data.strip():
            self.texts.append(data.strip())


def english_left(page: str) -> list[str]:
    """The English texts of a page: untranslated sentences of the catalogue, and texts with an English word."""
    untranslated = {english for message in messages() for english, spanish in both_texts(message) if english != spanish}
    zone = re.compile(r"\w+/[\w /-]+")  # America/Port of Spain
    places = {name.partition("/")[2].replace("_", " ").replace("/", ", ") for name in available_timezones()}
    return [
        text
        for text in PageTexts(page).texts
        if text in untranslated or (ENGLISH.search(text) and not zone.fullmatch(text) and text not in places)
    ]

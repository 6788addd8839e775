"""One response of a source: status, headers and body, parsed as JSON or as a page on first use.

The same class holds a response from the network and a saved sample, so that a recipe's test proves what a job will do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from parsel import Selector


class UnreadableResponse(ValueError):
    """The body is not what the source's kind says it is, JSON or a page. The text says why, as `words` knows it."""


@dataclass
class SourceResponse:
    """A response. Header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True  # False: longer than the limit, and cut there
    verdict: str = ""  # set once it is classified, so that the rules are checked once
    about: tuple[str, ...] = ()  # the numbers, or the ticket, that were asked about
    sent_at: int = 0  # the moment of its request, as `refusals` counts

    def __post_init__(self) -> None:
        self.headers = {name.lower(): value for name, value in self.headers.items()}

    @cached_property
    def text(self) -> str:
        charset = self.headers.get("content-type", "").lower().partition("charset=")[2].split(";")[0].strip(" \"'")
        try:
            return self.body.decode(charset or "utf-8", "replace")
        except LookupError:  # an unknown charset
            return self.body.decode("utf-8", "replace")

    @cached_property
    def lower(self) -> str:
        return self.text.lower()

    @cached_property
    def json(self) -> Any:
        """The body as JSON. Raises UnreadableResponse."""
        if not self.whole:
            raise UnreadableResponse("longer than its limit")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise UnreadableResponse("not JSON") from error

    @cached_property
    def page(self) -> Selector:
        """The body as a page. Raises UnreadableResponse."""
        kind = self.headers.get("content-type", "").lower()
        if not self.whole or not self.text.strip() or (kind and "html" not in kind and "xml" not in kind):
            raise UnreadableResponse("not a page")
        return Selector(self.text)

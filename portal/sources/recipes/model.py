"""What a recipe says, once it was read: one source as plain values. It knows neither files nor the network.

`recipe_file` makes these from a TOML file and refuses what does not hold; everybody else only reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

ValueWords = Mapping[str, str]  # a text by language; "" is the language of those that have none of their own


class AnswerFormat(StrEnum):
    """How a source answers."""

    JSON = "json"
    BATCH = "batch"  # JSON, many numbers a call
    HTML = "html"


@dataclass(frozen=True)
class Rule:
    """One condition on an answer. All parts that are given must hold."""

    status: tuple[int, ...] = ()
    json: str = ""  # JMESPath that comes out true
    css: str = ""  # a selector that finds something
    text: str = ""  # stands in the body, in capitals or not


# In the order in which they are asked; the first that holds decides.
RULE_NAMES = ("blocked", "credentials", "no_credit", "not_found", "rejected", "retry", "success")


@dataclass(frozen=True)
class Request:
    """What is sent. Texts have placeholders, which `filling` fills in by their position."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    timeout_seconds: float = 10.0  # the whole exchange, not each of its parts
    max_body_bytes: int = 1_000_000
    redirects: int = 0


@dataclass(frozen=True)
class Poll:
    """How to come back for the answers of an API that takes the numbers first and answers later."""

    url: str
    ticket: str  # JMESPath to the ticket in the first answer
    ready: tuple[Rule, ...]
    interval_seconds: float = 2.0
    limit_seconds: float = 300.0  # in one attempt
    keep_hours: float = 24.0  # in all: then the ticket is given up, and its numbers are asked for anew
    gone: tuple[Rule, ...] = ()  # the source has the answers no longer

    @property
    def keep_seconds(self) -> float:
        return self.keep_hours * 3600


@dataclass(frozen=True)
class Batch:
    """Many numbers in one call."""

    request: Request
    size: int
    items: str  # JMESPath to the list of answers
    key: str  # JMESPath within an item to the number it is about
    number: str = "e164"  # the form of a number in {numbers_json}
    poll: Poll | None = None


@dataclass(frozen=True)
class RequestLimits:
    """How a source wants to be asked."""

    per_second: float | None = None  # requests; None: found out by asking
    concurrency: int = 4
    cache_days: float = 0.0
    robots: bool = False


@dataclass(frozen=True)
class FieldRule:
    """Where one column of the answer comes from. One of path, css and xpath is given."""

    name: str
    path: str = ""  # JMESPath
    css: str = ""
    xpath: str = ""
    type: str = "text"  # text | bool | number
    map: Mapping[str, str] = field(default_factory=dict)
    regex: str = ""
    strip: bool = True
    required: bool = False
    label: ValueWords = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A saved answer and what has to be read from it."""

    number: str
    response: Path
    status: int = 200
    content_type: str = ""
    expect: Mapping[str, str] = field(default_factory=dict)
    outcome: str = ""  # empty: found


@dataclass(frozen=True)
class Difference:
    """What a case's answer did not give as expected. `code` is one of `words.DIFFERENCES`."""

    code: str
    field: str = ""
    expected: str = ""
    found: str = ""


@dataclass(frozen=True)
class Recipe:
    """One source. `version` changes with the file, and with it what was kept of earlier answers is not used again."""

    name: str
    kind: AnswerFormat
    request: Request
    fields: tuple[FieldRule, ...]
    outcomes: Mapping[str, tuple[Rule, ...]]
    limits: RequestLimits
    path: Path
    text: str  # the file as it was read, for those who may look at it
    version: str
    batch: Batch | None = None
    title: ValueWords = field(default_factory=dict)
    description: ValueWords = field(default_factory=dict)
    tests: tuple[Case, ...] = ()
    secrets: tuple[str, ...] = ()  # the names that stand in {secret:…}

    @property
    def seconds_per_number(self) -> float:
        """About how long one number takes: by the declared rate, or by half a second a request."""
        size = self.batch.size if self.batch else 1
        a_request = 0.5 / self.limits.concurrency
        return max(a_request, 1 / self.limits.per_second if self.limits.per_second else 0.0) / size

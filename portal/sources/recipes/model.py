"""What a recipe says, as plain values: one source. Knows neither files nor the network.

`loader` makes these from a TOML file and refuses mistakes; all other code only reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from portal.causes import REFUSALS

ValueWords = Mapping[str, str]  # a text by language; "" is for all languages without a text of their own


class AnswerFormat(StrEnum):
    """The format in which a source answers."""

    JSON = "json"
    BATCH = "batch"  # JSON, many numbers in one request
    HTML = "html"


@dataclass(frozen=True)
class Rule:
    """One condition on a response. All parts that are given must hold."""

    status: tuple[int, ...] = ()
    json: str = ""  # a JMESPath expression that gives true
    css: str = ""  # a selector that matches an element
    text: str = ""  # a text in the body, in upper or lower case
    wait: str = ""  # in a rule of `limited`: JMESPath to the seconds that the source asks us to wait


# In the order in which they are checked; the first that holds decides.
RULE_NAMES = (*REFUSALS, "limited", "not_found", "rejected", "retry", "success")


VALUES = ("json", "csv")  # formats whose values JMESPath finds
TREES = ("html", "xml")  # formats whose elements CSS and XPath find
FORMATS = (*VALUES, *TREES, "text")


@dataclass(frozen=True)
class AnswerReading:
    """How the bytes of an answer are read."""

    format: str = "json"  # one of FORMATS
    charset: str = ""  # a codec of Python; empty: as the answer itself says
    delimiter: str = ""  # of CSV; empty: the one that its first line has most of
    header: bool = True  # of CSV: whether its first line names the columns
    namespaces: Mapping[str, str] = field(default_factory=dict)  # of XML, by the prefix that the recipe's XPath uses


@dataclass(frozen=True)
class Request:
    """A request to send. Its texts have placeholders, which `placeholders.fill` fills in, escaped by where they are."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    timeout_seconds: float = 10.0  # for the whole exchange, not for each of its parts
    max_body_bytes: int = 1_000_000
    redirects: int = 0
    reading: AnswerReading = field(default_factory=AnswerReading)  # of its response


@dataclass(frozen=True)
class Poll:
    """How to fetch the answers from an API that accepts the numbers first and answers later."""

    url: str
    ticket: str  # JMESPath to the ticket in the first response
    ready: tuple[Rule, ...]
    interval_seconds: float = 2.0
    limit_seconds: float = 300.0  # in one attempt
    keep_hours: float = 24.0  # in total: after that the ticket is dropped and its numbers are submitted again
    gone: tuple[Rule, ...] = ()  # the source no longer has the answers

    @property
    def keep_seconds(self) -> float:
        return self.keep_hours * 3600


MAP = "@map"  # before a JMESPath in `items`: its members become items with `key` and `value`


@dataclass(frozen=True)
class Batch:
    """Many numbers in one request."""

    request: Request
    size: int
    items: str  # JMESPath to the list of answers; after MAP to an object with a member for each number
    key: str  # JMESPath within an item to its number
    number: str = "e164"  # the form of a number in {numbers_json}
    each: str = ""  # one number in {numbers}, with its placeholders
    join: str = ","  # what stands between two of them
    missing: str = "retry"  # what it means that an answer has no item for a number: retry | not_found | rejected
    poll: Poll | None = None


@dataclass(frozen=True)
class RequestLimits:
    """How often and how a source may be requested."""

    per_second: float | None = None  # requests; None: the rate limiter finds it out
    concurrency: int = 4
    cache_days: float = 0.0
    robots: bool = False


@dataclass(frozen=True)
class FieldRule:
    """Where the value of one column comes from: exactly one of path, css and xpath, or only `regex` for plain text."""

    name: str
    path: str = ""  # JMESPath
    css: str = ""
    xpath: str = ""
    type: str = "text"  # text | bool | number | date
    decimal: str = ""  # of a number: its decimal separator; empty: as `field_values.number` finds it
    format: str = ""  # of a date: its form for strptime
    map: Mapping[str, str] = field(default_factory=dict)
    regex: str = ""
    strip: bool = True
    required: bool = False
    label: ValueWords = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A saved response and what has to be read from it."""

    number: str
    response: Path
    status: int = 200
    content_type: str = ""
    expect: Mapping[str, str] = field(default_factory=dict)
    outcome: str = ""  # empty means found


@dataclass(frozen=True)
class Difference:
    """How a test's response differs from what it expects. `code` is a key of `words.DIFFERENCES`."""

    code: str
    field: str = ""
    expected: str = ""
    found: str = ""


@dataclass(frozen=True)
class Recipe:
    """One source. `version` changes with the file; cached answers of an earlier version are not used again."""

    name: str
    kind: AnswerFormat
    request: Request
    fields: tuple[FieldRule, ...]
    outcomes: Mapping[str, tuple[Rule, ...]]
    limits: RequestLimits
    path: Path
    text: str  # the file as it was read, to show to administrators
    version: str
    batch: Batch | None = None
    title: ValueWords = field(default_factory=dict)
    description: ValueWords = field(default_factory=dict)
    tests: tuple[Case, ...] = ()
    secrets: tuple[str, ...] = ()  # the names in {secret:…}

    @property
    def seconds_per_number(self) -> float:
        """About how long one number takes: at the declared rate, or at half a second a request where that is slower."""
        size = self.batch.size if self.batch else 1
        per_request = 0.5 / self.limits.concurrency
        return max(per_request, 1 / self.limits.per_second if self.limits.per_second else 0.0) / size

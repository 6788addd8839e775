"""What a recipe says, as plain values: one source. Knows neither files nor the network.

`loader` makes these from a TOML file and refuses mistakes; all other code only reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
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


LISTS = ("json", "csv")  # formats that may have the answers to many numbers
VALUES = (*LISTS, "form")  # formats whose values JMESPath finds
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
class Sign:
    """How a request is signed. Its texts have placeholders; `signature` is one of them in `headers` and `query`."""

    method: str  # one of SIGN_METHODS
    key: str
    text: str = ""  # what is signed, of a digest or an HMAC
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    place: str = "header"  # of aws4: header | query
    scope: str = ""  # of aws4: its region and service, as in eu-west-1/execute-api
    session: str = ""  # of aws4: the token of a temporary key
    claims: str = ""  # of a token: JSON
    token_header: Mapping[str, str] = field(default_factory=dict)  # of a token: beside alg and typ

    @property
    def is_token(self) -> bool:
        return self.method.startswith("jwt-")

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that may have placeholders."""
        return (self.key, self.text, self.session, self.claims,
                *self.headers.values(), *self.query.values(), *self.token_header.values())  # fmt: skip


DIGESTS = ("md5", "sha1", "sha256", "sha512")
TOKENS = ("jwt-rs256", "jwt-es256", "jwt-hs256")
SIGN_METHODS = (*(f"hmac-{name}" for name in DIGESTS), *DIGESTS, "aws4", *TOKENS)


@dataclass(frozen=True)
class Request:
    """A request to send. Its texts have placeholders, which `filling.fill` fills in, escaped by where they are."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    timeout_seconds: float = 10.0  # for the whole exchange, not for each of its parts
    max_body_bytes: int = 1_000_000
    redirects: int = 0
    reading: AnswerReading = field(default_factory=AnswerReading)  # of its response
    sign: Sign | None = None
    certificate: str = ""  # the name of the client certificate that it presents
    form: Mapping[str, str] = field(default_factory=dict)  # of an upload: the fields beside the file

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that may have placeholders."""
        return (
            self.url,
            self.body,
            *self.headers.values(),
            *self.form.values(),
            *(self.sign.texts if self.sign else ()),
        )


@dataclass(frozen=True)
class Before:
    """A request whose answer gives values to the ones after it. What is kept is shared by all workers."""

    request: Request
    take: tuple["FieldRule", ...]
    keep_seconds: float | None = None
    keep_path: str = ""  # JMESPath in its answer to the seconds
    cookies: bool = False  # the cookies of its answer go with the requests after it
    credentials: tuple[Rule, ...] = ()  # answers that say that the access data is wrong

    @property
    def is_kept(self) -> bool:
        return self.keep_seconds is not None or bool(self.keep_path)


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
    results: str = ""  # JMESPath in the response that is ready to the address of the answers

    @property
    def keep_seconds(self) -> float:
        return self.keep_hours * 3600


@dataclass(frozen=True)
class Upload:
    """The numbers as a file of one line for each, uploaded as a form (multipart) does it. `Request.form` has the fields
    beside it."""

    field: str
    each: str = "{e164}"  # one line, with its placeholders
    header: str = ""  # the first line
    name: str = "numbers.csv"
    type: str = "text/csv"


EACH = "@each"  # before a JMESPath in `key`: what it finds is the number as `each` writes it
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
    file: Upload | None = None


@dataclass(frozen=True)
class RequestLimits:
    """How often and how a source may be requested."""

    per_second: float | None = None  # requests; None: the rate limiter finds it out
    concurrency: int = 4
    cache_days: float = 0.0
    robots: bool = False


@dataclass(frozen=True)
class Cost:
    """What a lookup costs: a figure for each answer, or what the answer says."""

    price: Decimal = Decimal(0)
    price_path: str = ""  # JMESPath in the answer, or in one number's item, to what it cost
    most: Decimal | None = None  # of what the answer says: no lookup costs more; of a figure: the figure
    per: str = "asked"  # of a figure: asked | found
    currency: str = ""  # as ISO 4217 writes it, or "credits"
    balance: str = ""  # JMESPath in the answer to the credit that is left
    stop_below: Decimal | None = None  # the source is not asked with less than this
    warn_below: Decimal | None = None  # the administrators are warned with less than this


@dataclass(frozen=True)
class BalanceRequest:
    """How to ask for the credit that is left, apart from lookups."""

    request: Request
    field: str  # JMESPath in its answer
    warn_below: Decimal | None = None


@dataclass(frozen=True)
class Coverage:
    """Which numbers a source is asked about; an empty set is all."""

    countries: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ShelfEntry:
    """What the shelf says of a provider before anybody uses its recipe."""

    provider: str
    documentation: str  # the address of the page that the recipe was made from
    read: str  # the day on which it was read
    coverage: ValueWords = field(default_factory=dict)
    price: ValueWords = field(default_factory=dict)
    keys: Mapping[str, ValueWords] = field(default_factory=dict)  # what the provider calls each secret


@dataclass(frozen=True)
class FieldRule:
    """Where the value of one column comes from: exactly one of path, css, xpath and header, or only `regex` for plain
    text."""

    name: str
    path: str = ""  # JMESPath
    css: str = ""
    xpath: str = ""
    header: str = ""  # of a request before: the header of its answer that has it
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
    response: Path | None = None
    answer: str = ""  # its text, where no file has it
    status: int = 200
    content_type: str = ""
    expect: Mapping[str, str] = field(default_factory=dict)
    outcome: str = ""  # empty means found

    @property
    def place(self) -> str:
        """Where the response is: the file's name; empty for one within the recipe."""
        return self.response.name if self.response else ""


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
    before: tuple[Before, ...] = ()
    cost: Cost | None = None
    balance: BalanceRequest | None = None
    only: Coverage | None = None
    shelf: ShelfEntry | None = None
    title: ValueWords = field(default_factory=dict)
    description: ValueWords = field(default_factory=dict)
    tests: tuple[Case, ...] = ()
    secrets: tuple[str, ...] = ()  # the names in {secret:…}

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests that it sends, without those that poll."""
        return (
            *(one.request for one in self.before), self.request, *([self.batch.request] if self.batch else []),
            *([self.balance.request] if self.balance else []),
        )  # fmt: skip

    @property
    def seconds_per_number(self) -> float:
        """About how long one number takes: at the declared rate, or at half a second a request where that is slower."""
        size = self.batch.size if self.batch else 1
        per_request = 0.5 / self.limits.concurrency
        requests = 1 + sum(not one.is_kept for one in self.before)  # of one lookup
        return requests * max(per_request, 1 / self.limits.per_second if self.limits.per_second else 0.0) / size

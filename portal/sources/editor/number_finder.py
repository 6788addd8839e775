"""Finds the telephone number in a pasted request and puts a placeholder in the form that the request has it in.

A number is what libphonenumber takes for one, and better if the name beside it says so; documentation's {phone} counts
as one. Two or more in a list of JSON, or with commas between them, make a batch.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, unquote_plus

import phonenumbers

from portal.sources.editor.pasted_request import FORM, PastedRequest
from portal.sources.editor.secret_finder import CLOSE, OPEN, mark
from portal.sources.recipes.placeholders import forms_of

FORMS = {  # how a request can have one number, by the word on the page
    "e164": "{e164}", "digits": "{digits}", "national": "{national}", "00": "00{digits}", "0": "0{national}",
}  # fmt: skip
_NAMED = re.compile(
    r"phone|msisdn|mobile|movil|tel|number|numero|^n$|^to$|^q$|^num$|recipient|subscriber|dest", re.IGNORECASE
)
_CODE_NAMED = re.compile(r"prefix|country_?code|calling|^cc$|prefijo|dial", re.IGNORECASE)
_TEMPLATE = re.compile(
    r"(?:\{\{?\s*[\w-]*(?:phone|msisdn|number|numero|telefono|mobile|tel)[\w-]*\s*\}\}?|"
    r"<[\w\s-]*(?:phone|msisdn|number|numero|teléfono|telefono|mobile)[\w\s-]*>|(?<=/):(?:phone|msisdn|number)\w*)",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"(?<![\w.])(?:\+|%2[Bb]|00)?\(?\d(?:[ ().\-]{0,2}\d){5,17}(?![\w])")
_REGIONS = ("ES", "US", "GB", "FR", "DE", "IT", "PT", "MX", "AR", "CO")


@dataclass
class FoundNumber:
    """The request with placeholders for its number, and that number in E.164; empty where it only had a template."""

    request: PastedRequest
    number: str = ""
    form: str = ""  # a key of FORMS; empty: none was found
    many: str = ""  # numbers_json or numbers, of a batch
    each: str = ""
    join: str = ","
    others: tuple[str, ...] = ()  # further numbers of a batch
    candidates: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    text: str
    e164: str
    score: int


def find(request: PastedRequest, country: str, wanted: str = "") -> FoundNumber:
    """Find the number; `wanted` is what a person says that it is, as the request has it. `country`: of numbers without
    their country's code."""
    templated = _templates(request)
    if templated is not None and not wanted:
        return templated
    found = list(_candidates(request, country))
    if wanted:
        digits = re.sub(r"\D", "", wanted)
        e164 = _e164(wanted, country) or (f"+{digits}" if digits else "")
        found = [_Candidate(wanted, e164, 100)] if e164 else []
    if not found:
        return FoundNumber(request)
    many = _many(request, country)
    if many is not None:
        return many
    best = max(found, key=lambda one: one.score)
    form = form_of(best.text, best.e164)
    return FoundNumber(_put(request, best, form), best.e164, form, candidates=[one.text for one in found])


def form_of(text: str, e164: str) -> str:
    """In which form a text is a number: a key of FORMS."""
    forms, digits = forms_of(e164), re.sub(r"\D", "", text)
    if text.strip().startswith("+"):
        return "e164"
    if digits == "00" + forms["digits"]:
        return "00"
    if digits == forms["digits"]:
        return "digits"
    return "0" if digits == "0" + forms["national"] else "national"


def change_form(text: str, form: str) -> str:
    """A text of a recipe with its number in another form."""
    return re.sub(r"(?:00)?\{digits\}|0?\{national\}|\{e164\}", FORMS[form], text)


def _e164(text: str, country: str) -> str:
    compact = re.sub(r"[ ().\-]", "", unquote(text))
    compact = f"+{compact[2:]}" if compact.startswith("00") else compact
    tries: list[tuple[str, str | None]] = (
        [(compact, None)] if compact.startswith("+") else [(compact, country), (f"+{compact}", None)]
    )
    tries += [] if compact.startswith("+") else [(compact, region) for region in _REGIONS if region != country]
    for one, region in tries:
        try:
            number = phonenumbers.parse(one, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if compact.startswith("+") and 8 <= len(compact) <= 16:
        return compact  # of an example in documentation, which may be in no plan
    return ""


def _values(request: PastedRequest) -> Iterator[tuple[str, str]]:
    """Every value of a request with the name beside it."""
    address, _, query = request.url.partition("?")
    path = address.partition("://")[2].partition("/")[2]
    yield from (("", unquote(part)) for part in path.split("/"))
    for text in (query, request.body if request.header("content-type").startswith(FORM) else ""):
        for part in text.split("&"):
            name, _, value = part.partition("=")
            yield unquote_plus(name), unquote_plus(value) if "%" in value or "+" not in value[:1] else value
    if request.body and not request.header("content-type").startswith(FORM):
        for match in re.finditer(
            r"([\w:-]{1,60})[\"']?\s*[=:>]\s*\[?\s*[\"']?([+(]?\d[\d ().\-]{5,20}\d)", request.body
        ):
            yield match[1], match[2]
        for match in _DIGITS.finditer(request.body):
            yield "", match[0]
    yield from request.headers


def _candidates(request: PastedRequest, country: str) -> Iterator[_Candidate]:
    for name, value in _values(request):
        for match in _DIGITS.finditer(re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", " ", value)):
            text = match[0]
            if e164 := _e164(text, country):
                whole = 2 if text == value.strip() else 0
                hint = 4 if name and _NAMED.search(name) else 0
                yield _Candidate(text, e164, hint + whole + (2 if text[0] in "+0" else 0) + (1 if not name else 0))


def _put(request: PastedRequest, one: _Candidate, form: str) -> PastedRequest:
    """The request with placeholders wherever it has this number, and the country's code that stands apart from it."""
    literal = {
        one.text.replace(" ", space).replace("+", plus, 1)
        for plus in ("+", "%2B", "%2b")
        for space in (" ", "%20", "+")
    }
    template = FORMS[form].replace("{", OPEN).replace("}", CLOSE)
    pattern = re.compile(
        rf"(?<!\d)(?:{'|'.join(re.escape(text) for text in sorted(literal, key=len, reverse=True))})(?!\d)"
    )

    def put(text: str) -> str:
        parts = re.split(f"({OPEN}[^{CLOSE}]*{CLOSE})", text)
        text = "".join(part if part.startswith(OPEN) else pattern.sub(template, part) for part in parts)
        if form in ("national", "0"):
            code = forms_of(one.e164)["country_code"]
            text = re.sub(
                rf"([\w-]{{1,60}})([\"']?\s*[=:]\s*[\"']?(?:\+|%2B)?){code}(?=[\"'&\s,}}]|$)",
                lambda match: (
                    f"{match[1]}{match[2]}{mark('country_code')}" if _CODE_NAMED.search(match[1]) else match[0]
                ),
                text,
            )
        return text

    return replace(
        request,
        url=put(request.url),
        body=put(request.body),
        headers=[(name, put(text)) for name, text in request.headers],
    )


def _templates(request: PastedRequest) -> FoundNumber | None:
    """What documentation has in a number's place, such as {phone}."""

    def put(text: str) -> str:
        is_xml = "</" in text  # where <msisdn> is an element
        return _TEMPLATE.sub(lambda match: match[0] if is_xml and match[0][0] == "<" else mark("e164"), text)

    if put(request.url) == request.url and put(request.body) == request.body:
        return None
    if not any(_TEMPLATE.search(text) for text in (request.url, request.body)):
        return None
    return FoundNumber(replace(request, url=put(request.url), body=put(request.body)), "", "e164")


def _many(request: PastedRequest, country: str) -> FoundNumber | None:
    """A batch: a list of numbers, a list of objects with a number each, or numbers with commas between them."""
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        content = None
    for found in _lists(content):
        batch = _of_numbers(request, found, country) or _of_objects(request, found, country)
        if batch is not None:
            return batch
    return next((batch for text in (request.url, request.body) if (batch := _in_a_row(request, text, country))), None)


def _of_numbers(request: PastedRequest, found: list[object], country: str) -> FoundNumber | None:
    """A list of JSON with nothing but numbers."""
    texts = [str(one) for one in found if isinstance(one, str | int)]
    numbers = [_e164(text, country) for text in texts]
    if len(texts) < 2 or len(texts) != len(found) or not all(numbers):
        return None
    form = form_of(texts[0], numbers[0])
    return _batch(request, _span_of(request.body, found), mark("numbers_json"), "numbers_json", numbers, form)


def _of_objects(request: PastedRequest, found: list[object], country: str) -> FoundNumber | None:
    """A list of JSON with objects that have a number each."""
    objects = [one for one in found if isinstance(one, dict)]
    if len(objects) < 2 or len(objects) != len(found):
        return None
    texts = [
        next((str(v) for v in one.values() if isinstance(v, str | int) and _e164(str(v), country)), "")
        for one in objects
    ]
    if not all(texts):
        return None
    numbers = [_e164(text, country) for text in texts]
    form = form_of(texts[0], numbers[0])
    each = json.dumps(objects[0]).replace(texts[0], FORMS[form])
    batch = _batch(request, _span_of(request.body, found), f"[{mark('numbers')}]", "numbers", numbers, "e164")
    return replace(batch, each=each, form=form)


def _in_a_row(request: PastedRequest, text: str, country: str) -> FoundNumber | None:
    """Numbers in a text with commas or semicolons between them."""
    for match in re.finditer(r"(?:\+|%2B)?\d{7,15}(?:(?:,|%2C|;)(?:\+|%2B)?\d{7,15})+", text):
        texts = [unquote(one) for one in re.split(r",|%2C|;", match[0])]
        numbers = [_e164(one, country) for one in texts]
        if not all(numbers):
            continue
        url, body = (one.replace(match[0], mark("numbers")) for one in (request.url, request.body))
        form = form_of(texts[0], numbers[0])
        each = "" if form in ("e164", "digits", "national") else FORMS[form]
        join = ";" if ";" in match[0] else ","
        made = replace(request, url=url, body=body)
        return FoundNumber(made, numbers[0], form, "numbers", each, join, tuple(numbers[1:]))
    return None


def _lists(content: object) -> Iterator[list[object]]:
    if isinstance(content, list):
        yield content
    for one in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from _lists(one)


def _span_of(body: str, value: list[object]) -> tuple[int, int]:
    """Where a list stands in the body."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\[", body):
        try:
            found, end = decoder.raw_decode(body, match.start())
        except ValueError:
            continue
        if found == value:
            return match.start(), end
    return 0, len(body)


def _batch(
    request: PastedRequest, span: tuple[int, int], text: str, many: str, numbers: list[str], form: str
) -> FoundNumber:
    body = request.body[: span[0]] + text + request.body[span[1] :]
    return FoundNumber(replace(request, body=body), numbers[0], form, many, others=tuple(numbers[1:]))

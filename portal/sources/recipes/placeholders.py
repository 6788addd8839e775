"""Fills in placeholders. Each value is escaped by where it is, so that it can never turn into syntax.

A value is percent-encoded in an address, and in a body escaped by its content type: as JSON text, as a form's value, as
XML, or not at all in plain text. One that breaks the line is refused in a header and in plain text. Knows no network.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape as xml_escape

import phonenumbers

from portal.sources.recipes.model import Request

FORMS = ("e164", "national", "country_code", "digits")  # of one number
ONE_NUMBER = ("e164", "national", "digits")  # a request for one number needs one of these
MANY_NUMBERS = ("numbers_json", "numbers")  # a request for many needs one of these
WITH_MANY_NUMBERS = ("batch_key",)  # allowed beside them
# With its braces doubled it is no placeholder, but the word in braces itself.
PLACEHOLDER = re.compile(r"\{\{[A-Za-z_][A-Za-z0-9_]*\}\}|\{(secret:)?([A-Za-z_][A-Za-z0-9_]*)\}")
MASK = "•••"
SHORTEST = 4  # characters of a secret that is masked wherever it is


class MissingSecret(LookupError):
    """A secret that the recipe names is not set. The error's text is the name, never the value."""


class BadValue(ValueError):
    """A value that is not allowed where its placeholder is, such as a line break in a header."""


@dataclass(frozen=True)
class FilledRequest:
    """A request as it is sent. `secrets` are the values to mask wherever the request is shown; `about` are the numbers,
    or the ticket, that it asks about."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    secrets: tuple[str, ...]
    about: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def forms_of(e164: str) -> Mapping[str, str]:
    """One number in all its forms. `national` has neither the country code nor the 0 for calls within the country."""
    digits = e164.lstrip("+")
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return {"e164": e164, "digits": digits, "national": digits, "country_code": ""}
    national = phonenumbers.national_significant_number(number)
    return {"e164": e164, "digits": digits, "national": national, "country_code": str(number.country_code)}


def placeholders(text: str) -> list[tuple[bool, str]]:
    """All placeholders of a text, in order: (whether it is a secret, its name)."""
    return [(bool(match[1]), match[2]) for match in PLACEHOLDER.finditer(text) if match[2]]


def names_in(request: Request) -> set[str]:
    """The names of a request's placeholders, without secrets."""
    texts = (request.url, request.body, *request.headers.values())
    return {name for text in texts for is_secret, name in placeholders(text) if not is_secret}


def secret_names(requests: Iterable[Request]) -> tuple[str, ...]:
    """The names of the secrets in these requests, each once."""
    names: dict[str, None] = {}
    for request in requests:
        for text in (request.url, request.body, *request.headers.values()):
            names.update((name, None) for is_secret, name in placeholders(text) if is_secret)
    return tuple(names)


def secrets_mark(names: Iterable[str], environ: Mapping[str, str]) -> str:
    """A mark that changes with the values of these secrets; empty without any. Too short to tell what they are."""
    values = [f"{name}={environ.get(name, '').strip()}" for name in names]
    return hashlib.sha256("\n".join(values).encode()).hexdigest()[:8] if values else ""


def fill(
    request: Request,
    numbers: Sequence[str],
    environ: Mapping[str, str],
    *,
    number_form: str = "e164",
    each: str = "",
    join: str = ",",
    ticket: str = "",
    batch_key: str = "",
) -> FilledRequest:
    """The request for these numbers (E.164). Raises MissingSecret and BadValue."""
    each = each or f"{{{number_form}}}"
    used: list[str] = []
    values = {**(forms_of(numbers[0]) if numbers else {}), "ticket": ticket, "batch_key": batch_key}

    def fill_in(text: str, escape: Callable[[str], str], escape_json: Callable[[str], str] = str) -> str:
        def value(match: re.Match[str]) -> str:
            if not match[2]:
                return match[0][1:-1]
            if match[1]:
                secret = environ.get(match[2], "").strip()
                if not secret:
                    raise MissingSecret(match[2])
                used.append(secret)
                return escape(secret)
            if match[2] == "numbers_json":
                return escape_json(json.dumps([forms_of(number)[number_form] for number in numbers]))
            if match[2] == "numbers":  # `each` and `join` are the recipe's own text: only values are escaped
                return join.join(PLACEHOLDER.sub(partial(one_form, forms_of(number)), each) for number in numbers)
            return escape(values[match[2]]) if match[2] in values else match[0]

        def one_form(forms: Mapping[str, str], match: re.Match[str]) -> str:
            return escape(forms[match[2]]) if match[2] in forms else match[0][1:-1] if not match[2] else match[0]

        return PLACEHOLDER.sub(value, text)

    headers = {name: fill_in(text, _in_line) for name, text in request.headers.items()}
    body = None
    if request.body:
        kind = next((text for name, text in headers.items() if name.lower() == "content-type"), "")
        if not kind:
            headers["Content-Type"] = "application/json"
        escape = _by_content_type(kind)
        body = fill_in(request.body, escape, str if escape is _in_json else escape).encode()
    url = fill_in(request.url, _in_address, _in_address)
    about = tuple(numbers) or (ticket,)
    return FilledRequest(request.method, url, headers, body, tuple(dict.fromkeys(used)), about)


def _by_content_type(content_type: str) -> Callable[[str], str]:
    """How a value is escaped in a body of this type; without one it is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return quote_plus
    if kind.endswith(("/xml", "+xml")):
        return _in_xml
    return _in_line if kind.startswith("text/") else _in_json


def _in_address(value: str) -> str:
    return quote(value, safe="")


def _in_xml(value: str) -> str:
    return _escaped(_in_line(value))


def _escaped(value: str) -> str:
    return xml_escape(value, {'"': "&quot;", "'": "&apos;"})


def _in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


def _in_line(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise BadValue("a value breaks its line")
    return value


def masked(text: str, secrets: Iterable[str]) -> str:
    """A text with every secret masked, also in the forms that it takes in an address or a body. One of fewer than four
    characters is masked where it stands alone: anywhere else, it is a part of some word."""
    for secret in sorted(secrets, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote_plus(secret), _in_json(secret), _escaped(secret)}:
            if len(secret) >= SHORTEST:
                text = text.replace(form, MASK)
            elif form:
                text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", MASK, text)
    return text

"""Fills in placeholders. Each value is escaped by where it is, so that it can never turn into syntax.

A value is percent-encoded in an address, escaped as JSON text in a JSON body, form-encoded in a form body, and refused
in a header when it breaks the line. Knows no network.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, quote_plus

import phonenumbers

from portal.sources.recipes.model import Request

FORMS = ("e164", "national", "country_code", "digits")  # of one number
PLACEHOLDER = re.compile(r"\{(secret:)?([A-Za-z_][A-Za-z0-9_]*)\}")
FORM_BODY = "application/x-www-form-urlencoded"
MASK = "•••"


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
    return [(bool(match[1]), match[2]) for match in PLACEHOLDER.finditer(text)]


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


def fill(
    request: Request,
    numbers: Sequence[str],
    environ: Mapping[str, str],
    *,
    number_form: str = "e164",
    ticket: str = "",
    batch_key: str = "",
) -> FilledRequest:
    """The request for these numbers (E.164). Raises MissingSecret and BadValue."""
    used: list[str] = []
    values = {**(forms_of(numbers[0]) if numbers else {}), "ticket": ticket, "batch_key": batch_key}

    def fill_in(text: str, escape: Callable[[str], str]) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1]:
                secret = environ.get(match[2], "").strip()
                if not secret:
                    raise MissingSecret(match[2])
                used.append(secret)
                return escape(secret)
            if match[2] == "numbers_json":
                return json.dumps([forms_of(number)[number_form] for number in numbers])
            return escape(values[match[2]]) if match[2] in values else match[0]

        return PLACEHOLDER.sub(value, text)

    headers = {name: fill_in(text, _in_header) for name, text in request.headers.items()}
    body = None
    if request.body:
        kind = next((text for name, text in headers.items() if name.lower() == "content-type"), "")
        if not kind:
            headers["Content-Type"] = "application/json"
        body = fill_in(request.body, quote_plus if kind.startswith(FORM_BODY) else _in_json).encode()
    url = fill_in(request.url, lambda value: quote(value, safe=""))
    about = tuple(numbers) or (ticket,)
    return FilledRequest(request.method, url, headers, body, tuple(dict.fromkeys(used)), about)


def _in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


def _in_header(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise BadValue("a header's value breaks its line")
    return value


def masked(text: str, secrets: Iterable[str]) -> str:
    """A text with every secret masked, also in the forms that it takes in an address or a body."""
    for secret in sorted(secrets, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote_plus(secret), _in_json(secret)}:
            text = text.replace(form, MASK)
    return text

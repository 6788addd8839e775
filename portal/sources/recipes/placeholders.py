"""The placeholders of a recipe's texts: finds them, says which secrets they name, and masks secrets where a request is
shown. `filling` fills them in."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape as xml_escape

import phonenumbers

from portal.sources.recipes.model import Request
from portal.sources.recipes.pipes import PIPES, parse

FORMS = ("e164", "national", "country_code", "digits")  # of one number
ONE_NUMBER = ("e164", "national", "digits")  # a request for one number needs one of these
MANY_NUMBERS = ("numbers_json", "numbers")  # a request for many needs one of these
WITH_MANY_NUMBERS = ("batch_key",)  # allowed beside them
ANYWHERE = ("now", "nonce")  # in every request
OF_REQUEST = ("method", "host", "path", "query", "url", "body")  # of the request that is signed
SIGNATURE = "signature"
# With its braces doubled it is no placeholder, but the word in braces itself.
PLACEHOLDER = re.compile(
    r"\{\{[A-Za-z_][A-Za-z0-9_]*(?:\|[^{}\n]*)?\}\}|\{(secret:)?([A-Za-z_][A-Za-z0-9_]*)((?:\|[^{}|\n]*)*)\}"
)
MASK = "•••"
SHORTEST = 4  # characters of a secret that is masked wherever it is


class Placeholder(NamedTuple):
    """One placeholder: whether it is a secret, its name, and its pipes with their arguments."""

    is_secret: bool
    name: str
    pipes: tuple[tuple[str, str | None], ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of all secrets in it, those that a pipe takes too."""
        own = (self.name,) if self.is_secret else ()
        return (
            *own,
            *(word for pipe, word in self.pipes if word and pipe in PIPES and PIPES[pipe].argument == "secret"),
        )


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


def placeholder(match: re.Match[str]) -> Placeholder | None:
    """The placeholder that was matched; None for a word in doubled braces."""
    return _placeholder(match[1] is not None, match[2], match[3]) if match[2] else None


@lru_cache(maxsize=512)
def _placeholder(is_secret: bool, name: str, pipes: str) -> Placeholder:
    return Placeholder(is_secret, name, parse(pipes))


def placeholders(text: str) -> list[Placeholder]:
    """All placeholders of a text, in order."""
    return [found for match in PLACEHOLDER.finditer(text) if (found := placeholder(match))]


def names_in(request: Request) -> set[str]:
    """The names of a request's placeholders, without secrets."""
    return {one.name for text in request.texts for one in placeholders(text) if not one.is_secret}


def secret_names(requests: Iterable[Request]) -> tuple[str, ...]:
    """The names of the secrets in these requests, each once."""
    requests = list(requests)
    found = [one.secrets for request in requests for text in request.texts for one in placeholders(text)]
    files = [certificate_name(request.certificate) for request in requests if request.certificate]
    return tuple(dict.fromkeys([*(name for names in found for name in names), *files]))


def certificate_name(name: str) -> str:
    """The name of a client certificate among the secrets."""
    return f"secrets/{name}.pem"


def secrets_mark(names: Iterable[str], environ: Mapping[str, str]) -> str:
    """A mark that changes with the values of these secrets; empty without any. Too short to tell what they are."""
    values = [f"{name}={environ.get(name, '').strip()}" for name in names]
    return hashlib.sha256("\n".join(values).encode()).hexdigest()[:8] if values else ""


def in_xml(value: str) -> str:
    return xml_escape(value, {'"': "&quot;", "'": "&apos;"})


def in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


def masked(text: str, secrets: Iterable[str]) -> str:
    """A text with every secret masked, also in the forms that it takes in an address or a body. One of fewer than four
    characters is masked where it stands alone: anywhere else, it is a part of some word."""
    for secret in sorted(secrets, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote_plus(secret), in_json(secret), in_xml(secret)}:
            if len(secret) >= SHORTEST:
                text = text.replace(form, MASK)
            elif form:
                text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", MASK, text)
    return text

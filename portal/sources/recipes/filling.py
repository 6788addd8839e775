"""Fills in a request's placeholders. Each value is escaped by where it is, so that it can never turn into syntax.

A value is percent-encoded in an address, and in a body escaped by its content type: as JSON text, as a form's value, as
XML, or not at all in plain text. One that breaks the line is refused in a header and in plain text. Then the request is
signed. Knows no network.
"""

import json
import re
import secrets as random_secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from urllib3.filepost import encode_multipart_formdata

from portal.clock import utcnow
from portal.sources.recipes import signing
from portal.sources.recipes.model import Batch, Request
from portal.sources.recipes.pipes import BadPipe, Value, apply, written
from portal.sources.recipes.placeholders import (
    ANYWHERE,
    MANY_NUMBERS,
    PLACEHOLDER,
    SIGNATURE,
    certificate_name,
    forms_of,
    in_json,
    in_xml,
    placeholder,
)

Escape = Callable[[str], str]


class MissingSecret(LookupError):
    """A secret that the recipe names is not set. The error's text is the name, never the value."""


class BadValue(ValueError):
    """A value that is not allowed where its placeholder is, such as a line break in a header."""


@dataclass(frozen=True)
class FilledRequest:
    """A request as it is sent. `secrets` are the values to mask wherever the request is shown; `about` are the numbers,
    or the ticket, that it asks about; `cookies` are those of an earlier response, as `cookies` writes them; `keys` are
    the recipe's own secrets among `secrets`."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    secrets: tuple[str, ...]
    about: tuple[str, ...] = ()
    cookies: tuple[Mapping[str, Any], ...] = ()
    keys: tuple[str, ...] = ()
    certificate: str = ""  # the path of a client certificate with its key


@dataclass
class _Filler:
    """The values of one request. Collects the secrets that were filled in."""

    environ: Mapping[str, str]
    values: dict[str, Value]
    many: Callable[[str, Escape, Escape], str | None] = lambda name, escape, escape_json: None
    used: list[str] = field(default_factory=list)  # to be masked
    keys: list[str] = field(default_factory=list)  # secrets of the recipe, without what was made of them

    def text(self, text: str, escape: Escape, escape_json: Escape = str) -> str:
        """A text with its placeholders filled in. Raises MissingSecret and BadValue."""

        def fill_in(match: re.Match[str]) -> str:
            one = placeholder(match)
            if one is None:
                return match[0][1:-1]
            if not one.is_secret and one.name in MANY_NUMBERS:
                many = self.many(one.name, escape, escape_json)
                if many is not None:
                    return many
            if not one.is_secret and one.name not in self.values and one.name not in ANYWHERE:
                return match[0]
            return escape(written(self._value(one.is_secret, one.name, one.pipes)))

        return PLACEHOLDER.sub(fill_in, text)

    def bytes(self, text: str) -> bytes:
        """A text for a signature, with nothing escaped. A single placeholder whose value is bytes stays bytes."""
        match = PLACEHOLDER.fullmatch(text.strip())
        one = placeholder(match) if match else None
        if one is not None and (one.is_secret or one.name in self.values or one.name in ANYWHERE):
            value = self._value(one.is_secret, one.name, one.pipes)
            return value if isinstance(value, bytes) else written(value).encode()
        return self.text(text, str).encode()

    def secret(self, name: str) -> str:
        """A secret's value. Raises MissingSecret."""
        value = self.environ.get(name, "").strip()
        if not value:
            raise MissingSecret(name)
        self.used.append(value)
        self.keys.append(value)
        return value

    def value(self, name: str) -> Value:
        """A value by its name. The moment and the random word are made once they are wanted."""
        if name not in self.values:
            self.values[name] = utcnow() if name == "now" else random_secrets.token_hex(16)
        return self.values[name]

    def _value(self, is_secret: bool, name: str, pipes: Sequence[tuple[str, str | None]]) -> Value:
        before = len(self.used)
        value = self.secret(name) if is_secret else self.value(name)
        if not pipes:
            return value
        try:
            value = apply(value, pipes, self.secret)
        except BadPipe as error:
            raise BadValue(str(error)) from None
        if len(self.used) > before:  # what a pipe makes of a secret is as secret
            self.used.append(written(value))
        return value


def fill(
    request: Request,
    numbers: Sequence[str],
    environ: Mapping[str, str],
    *,
    batch: Batch | None = None,
    ticket: str = "",
    batch_key: str = "",
    taken: Mapping[str, str] | None = None,
    cookies: Sequence[Mapping[str, Any]] = (),
    now: datetime | None = None,
) -> FilledRequest:
    """The request for these numbers (E.164). `batch` says how many numbers are written; `taken` are values from the
    requests before it. Raises MissingSecret and BadValue."""

    def many(name: str, escape: Escape, escape_json: Escape) -> str | None:
        number_form = batch.number if batch else "e164"
        if name == "numbers_json":
            return escape_json(json.dumps([forms_of(number)[number_form] for number in numbers]))
        if name == "numbers":  # `each` and `join` are the recipe's own text: only values are escaped
            each = (batch.each if batch else "") or f"{{{number_form}}}"
            return (batch.join if batch else ",").join(each_of(each, number, escape) for number in numbers)
        return None

    values: dict[str, Value] = {
        **(taken or {}),
        **(forms_of(numbers[0]) if numbers else {}),
        "ticket": ticket,
        "batch_key": batch_key,
    }
    if now is not None:
        values["now"] = now
    filler = _Filler(environ, values, many, [*(taken or {}).values(), *(str(one["value"]) for one in cookies)])
    if request.sign is not None and request.sign.is_token:
        values[SIGNATURE] = signing.token(request.sign, filler)
    headers = {name: filler.text(text, in_line) for name, text in request.headers.items()}
    url = filler.text(request.url, in_address, in_address)
    body = None
    if request.body:
        kind = next((text for name, text in headers.items() if name.lower() == "content-type"), "")
        if not kind:
            headers["Content-Type"] = "application/json"
        escape = by_content_type(kind)
        body = filler.text(request.body, escape, str if escape is in_json else escape).encode()
    elif batch is not None and batch.file is not None and numbers:
        parts: dict[str, Any] = {name: filler.text(text, in_line) for name, text in request.form.items()}
        lines = [each_of(batch.file.each, number, in_line) for number in numbers]
        lines = [batch.file.header, *lines] if batch.file.header else lines
        parts[batch.file.field] = (batch.file.name, "".join(f"{line}\n" for line in lines), batch.file.type)
        body, headers["Content-Type"] = encode_multipart_formdata(parts, boundary=str(filler.value("nonce")))
    if request.sign is not None:
        at = urlsplit(url)
        values |= {
            "method": request.method,
            "host": at.netloc,
            "path": at.path or "/",
            "query": at.query,
            "url": url,
            "body": (body or b"").decode(errors="replace"),
        }
        url, headers = signing.signed(request.sign, filler, request.method, url, headers, body or b"")
    about = tuple(numbers) or (ticket,)
    used = tuple(dict.fromkeys(one for one in filler.used if one))
    certificate = filler.secret(certificate_name(request.certificate)) if request.certificate else ""
    keys = tuple(dict.fromkeys(filler.keys))
    return FilledRequest(
        request.method,
        url,
        headers,
        body,
        used,
        about,
        tuple(cookies),
        keys,
        certificate.rpartition("?")[0],
    )


def each_of(each: str, number: str, escape: Escape = str) -> str:
    """How one number is written in a request about many: its forms, filled into `each`."""
    return _Filler({}, dict(forms_of(number))).text(each, escape)


def by_content_type(content_type: str) -> Escape:
    """How a value is escaped in a body of this type; without one it is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return quote_plus
    if kind.endswith(("/xml", "+xml")):
        return lambda value: in_xml(in_line(value))
    return in_line if kind.startswith("text/") else in_json


def in_address(value: str) -> str:
    """A value as one part of an address."""
    return quote(value, safe="")


def in_line(value: str) -> str:
    """The value as it is. Raises BadValue when it breaks the line."""
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise BadValue("a value breaks its line")
    return value

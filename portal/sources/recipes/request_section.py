"""Reads [request] of a recipe, or a table that is like it, and checks the placeholders of a text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from portal.sources.recipes.limits_section import read_size
from portal.sources.recipes.model import Request
from portal.sources.recipes.placeholders import (
    ANYWHERE,
    FORMS,
    MANY_NUMBERS,
    ONE_NUMBER,
    PLACEHOLDER,
    SIGNATURE,
    WITH_MANY_NUMBERS,
    names_in,
)
from portal.sources.recipes.sign_section import read_sign
from portal.sources.recipes.toml_table import TomlTable
from portal.sources.recipes.vocabulary import check_placeholders

HEADER_NAME = r"[A-Za-z0-9_-]+"


@dataclass(frozen=True)
class Vocabulary:
    """Which names the placeholders of a recipe's requests may have, beside the numbers: `settings` are names that no
    secret may have, `taken` are values of the requests before; `numbers_before`: one of these names the number."""

    settings: frozenset[str]
    taken: tuple[str, ...] = ()
    numbers_before: bool = False


def read_request(
    table: TomlTable,
    wanted: tuple[str, ...],
    words: Vocabulary,
    base: Request | None = None,
    *,
    sign_in: TomlTable | None = None,
    must: bool = True,
) -> Request:
    """The request in a table. At least one of the placeholders `wanted` has to be in it, if it `must`; `base` gives the
    values that the table leaves out; the table `sign_in` has the table `sign`."""
    url = read_address(table, "url", None if base is None else base.url)
    body = table.text("body", base.body if base else "")
    method = table.one_of("method", ("GET", "POST"), "POST" if body and base else base.method if base else "GET")
    headers = table.texts("headers") or dict(base.headers if base else {})
    for name, text in headers.items():
        if not re.fullmatch(HEADER_NAME, name) or "\n" in text or "\r" in text:
            table.wrong("headers", "bad_header")
    if body and method == "GET":
        table.wrong("method", "body_with_get")
    known = known_names((*wanted, *(WITH_MANY_NUMBERS if wanted == MANY_NUMBERS else ()), *FORMS), words)
    sign = read_sign(sign_in, known, words.settings) if sign_in else base.sign if base else None
    if sign and sign.is_token:
        known = (*known, SIGNATURE)
    # What a table takes from `base` was checked there.
    texts = {"url": url, "body": body, "headers": " ".join(headers.values())}
    for key, text in texts.items():
        if base is None or table.has(key):
            check_placeholders(table, key, text, known, words.settings)
    found = Request(
        url=url,
        method=method,
        headers=headers,
        body=body,
        timeout_seconds=table.number("timeout", base.timeout_seconds if base else 10.0, 0.1, 120),
        max_body_bytes=read_size(table, "max_body", base.max_body_bytes if base else 1_000_000),
        redirects=table.whole("redirects", base.redirects if base else 0, 0, 5),
        sign=sign,
        certificate=_certificate(table) if base is None else base.certificate,
    )
    if found.certificate and found.redirects:
        table.wrong("certificate", "certificate_redirects")
    if url and must and wanted == ONE_NUMBER and not words.numbers_before and not names_in(found) & set(wanted):
        table.wrong("url", "no_number", known=in_braces(wanted))
    return found


def _certificate(table: TomlTable) -> str:
    """The name of a client certificate, which is a file of the portal and not of the recipe."""
    name = table.text("certificate")
    if name and not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name):
        table.wrong("certificate", "bad_certificate")
        return ""
    return name


def known_names(names: Iterable[str], words: Vocabulary) -> tuple[str, ...]:
    """All names that a placeholder may have, each once."""
    return tuple(dict.fromkeys((*names, *words.taken, *ANYWHERE)))


def in_braces(names: tuple[str, ...]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def read_address(table: TomlTable, key: str, default: str | None = None) -> str:
    """An http or https address whose host has no placeholder and no user."""
    url = table.text(key, default)
    if not url:
        return ""
    parts = urlsplit(PLACEHOLDER.sub("x", url))
    host = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    if "@" in host:
        table.wrong(key, "user_in_address")
    elif parts.scheme not in ("http", "https") or not parts.netloc or "{" in host:
        table.wrong(key, "bad_address")
    return url

"""Reads [request] of a recipe, or a table that is like it."""

import re
from urllib.parse import urlsplit

from portal.sources.recipes.limits_section import read_size
from portal.sources.recipes.model import Request
from portal.sources.recipes.placeholders import (
    FORMS,
    MANY_NUMBERS,
    ONE_NUMBER,
    PLACEHOLDER,
    WITH_MANY_NUMBERS,
    names_in,
    placeholders,
)
from portal.sources.recipes.toml_table import TomlTable


def read_request(
    table: TomlTable, wanted: tuple[str, ...], settings: frozenset[str], base: Request | None = None
) -> Request:
    """The request in a table. At least one of the placeholders `wanted` has to be in it; `settings` are names that no
    secret may have; `base` gives the values that the table leaves out."""
    url = read_address(table, "url", None if base is None else base.url)
    body = table.text("body", base.body if base else "")
    method = table.one_of("method", ("GET", "POST"), "POST" if body and base else base.method if base else "GET")
    headers = table.texts("headers") or dict(base.headers if base else {})
    for name, text in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or "\n" in text or "\r" in text:
            table.wrong("headers", "bad_header")
    if body and method == "GET":
        table.wrong("method", "body_with_get")
    # What a table takes from `base` was checked there.
    texts = {"url": url, "body": body, "headers": " ".join(headers.values())}
    texts = {key: text for key, text in texts.items() if base is None or table.has(key)}
    known = tuple(dict.fromkeys((*wanted, *(WITH_MANY_NUMBERS if wanted == MANY_NUMBERS else ()), *FORMS)))
    for key, text in texts.items():
        for is_secret, name in placeholders(text):
            if is_secret and name in settings:
                table.wrong(key, "secret_is_setting", name=name)
            elif not is_secret and name not in known:
                table.wrong(key, "bad_placeholder", name=name, known=", ".join(known))
    found = Request(
        url=url,
        method=method,
        headers=headers,
        body=body,
        timeout_seconds=table.number("timeout", base.timeout_seconds if base else 10.0, 0.1, 120),
        max_body_bytes=read_size(table, "max_body", base.max_body_bytes if base else 1_000_000),
        redirects=table.whole("redirects", base.redirects if base else 0, 0, 5),
    )
    if url and wanted == ONE_NUMBER and not names_in(found) & set(wanted):
        table.wrong("url", "no_number", known=in_braces(wanted))
    return found


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

"""Reads [sign] of a recipe, or the table `sign` of a request before: how a request is signed."""

import json
import re

from portal.sources.recipes.model import SIGN_METHODS, Sign
from portal.sources.recipes.placeholders import OF_REQUEST, PLACEHOLDER, SIGNATURE, placeholders
from portal.sources.recipes.toml_table import TomlTable
from portal.sources.recipes.vocabulary import check_placeholders

AWS_KEY = re.compile(rf"(?:{PLACEHOLDER.pattern})(?::(?:{PLACEHOLDER.pattern}))?")  # one secret with both, or two
USED_BY = {"text": "digest", "scope": "aws4", "session": "aws4", "claims": "token", "token_header": "token"}


def read_sign(parent: TomlTable, known: tuple[str, ...], settings: frozenset[str]) -> Sign | None:
    """The signature in the table `sign` of this table. `known` are the names of the request's placeholders."""
    table = parent.table("sign")
    if table is None:
        return None
    method = table.one_of("method", SIGN_METHODS)
    kind = "aws4" if method == "aws4" else "token" if method.startswith("jwt-") else "digest"
    has_key = kind != "digest" or method.startswith("hmac-")
    place, headers, query = "header", {}, {}
    if kind == "aws4":
        place = table.one_of("into", ("header", "query"), "header")
    else:
        headers, query = table.texts("into"), table.texts("query")
    found = Sign(
        method=method,
        key=table.text("key", None if has_key else ""),
        text=table.text("text", None if kind == "digest" else ""),
        headers=headers,
        query=query,
        place=place,
        scope=table.text("scope", None if kind == "aws4" else ""),
        session=table.text("session"),
        claims=table.text("claims", None if kind == "token" else ""),
        token_header=table.texts("token_header"),
    )
    for key, its_kind in USED_BY.items():
        if table.has(key) and kind != its_kind:
            table.wrong(key, "not_for_method", method=method)
    own = (*known, *OF_REQUEST) if kind != "token" else known
    for key, text in (("key", found.key), ("text", found.text), ("session", found.session), ("claims", found.claims)):
        check_placeholders(table, key, text, own if key == "text" else known, settings)
    for key, texts in (("into", headers), ("query", query), ("token_header", found.token_header)):
        names = own if key == "token_header" else (*own, SIGNATURE)
        check_placeholders(table, key, " ".join(texts.values()), names, settings)
    _check(table, found, kind)
    table.end()
    return found


def _check(table: TomlTable, found: Sign, kind: str) -> None:
    texts = (*found.headers.values(), *found.query.values())
    if kind == "digest" and not any(one.name == SIGNATURE for text in texts for one in placeholders(text)):
        table.wrong("into", "no_signature")
    for name, text in found.headers.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or "\n" in text or "\r" in text:
            table.wrong("into", "bad_header")
    if found.scope and not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", found.scope):
        table.wrong("scope", "bad_scope")
    if (
        kind == "aws4"
        and found.key
        and not re.fullmatch(rf"(?:{PLACEHOLDER.pattern})(?::(?:{PLACEHOLDER.pattern}))?", found.key)
    ):
        table.wrong("key", "bad_aws_key")
    if found.claims and not _is_object(found.claims):
        table.wrong("claims", "bad_claims")


def _is_object(text: str) -> bool:
    """Whether it is a JSON object once its placeholders are filled in: with digits, which fit in quotes and without."""
    try:
        return isinstance(json.loads(PLACEHOLDER.sub("1", text)), dict)
    except ValueError:
        return False

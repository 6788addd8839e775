"""Extracts the fields of one answer: by JMESPath from JSON and CSV, by CSS or XPath from a page or XML,
by a pattern from plain text.

Checks only for required fields that are missing and for characters that could not be read.
"""

import re
from collections.abc import Iterable
from typing import Any

from lxml import etree
from parsel import Selector

from portal.sources.http import field_values
from portal.sources.http.classify import search
from portal.sources.http.clean import clean_text
from portal.sources.http.response import UnreadableResponse
from portal.sources.recipes.model import FieldRule
from portal.sources.recipes.patterns import first_group
from portal.sources.recipes.toml_table import plain

MAX_LENGTH = 1000  # characters in one value, which goes into a cell of the file


class FieldMissing(ValueError):
    """A required field is missing. The error's text is the field's name."""


def extract_fields(fields: Iterable[FieldRule], content: Any) -> dict[str, str]:
    """The values that are not empty, by field. `content` is `SourceResponse.content`, or one item of it.
    Raises FieldMissing and UnreadableResponse."""
    found = {}
    for field in fields:
        value = _value(field, content)
        if value:
            found[field.name] = value[:MAX_LENGTH]
        elif field.required:
            raise FieldMissing(field.name)
    return found


def _value(field: FieldRule, content: Any) -> str:
    if isinstance(content, Selector):
        raw = _from_tree(field, content)
    elif field.path:
        raw = _from_values(field, content)
    else:
        raw = str(content)  # plain text, of which `regex` takes a part
    if raw is None:
        return ""
    text = clean_text(raw)
    text = text.strip() if field.strip else text
    if field.regex:
        text = first_group(field.regex, text)
    if "\ufffd" in text:  # read in the wrong charset, here or at the source
        raise UnreadableResponse(f"unreadable characters in {field.name}")
    if field.map:
        text = field.map.get(text, field.map.get("*", text))
    elif field.type == "bool":
        text = field_values.yes_or_no(text)
    elif field.type == "number":
        text = field_values.number(text, field.decimal)
    elif field.type == "date":
        text = field_values.day(text, field.format)
    return text


def _from_values(field: FieldRule, content: Any) -> str | None:
    value = search(field.path, content)
    if value is None:
        return None
    if isinstance(value, list):
        return ", ".join(plain(one) for one in value if one is not None and not isinstance(one, list | dict))
    return None if isinstance(value, dict) else plain(value)


def _from_tree(field: FieldRule, page: Selector) -> str | None:
    if field.css:
        found = page.css(field.css)
        if "::" not in field.css:  # an element: all its text
            return re.sub(r"\s+", " ", str(found[0].xpath("string(.)").get())) if found else None
    else:
        found = page.xpath(field.xpath)
        if page.type == "xml" and found and isinstance(found[0].root, etree._Element):
            return re.sub(r"\s+", " ", str(found[0].xpath("string(.)").get()))
    value = found.get()
    return None if value is None else str(value)

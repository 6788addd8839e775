"""Checks the expressions of a recipe: JMESPath, CSS, XPath, patterns and forms of dates. None has placeholders."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from lxml import etree
from parsel import Selector

from portal.sources.recipes.model import EACH, MAP
from portal.sources.recipes.patterns import pattern
from portal.sources.recipes.placeholders import ANYWHERE, FORMS, MANY_NUMBERS, WITH_MANY_NUMBERS, placeholders
from portal.sources.recipes.toml_table import TomlTable


def expression(table: TomlTable, key: str, check: Callable[[str], Any], default: str | None = "") -> str:
    """A text that `check` accepts; else a mistake with a code made of the name of `check`, such as `bad_path`."""
    text = table.text(key, default)
    if filled := filled_names(text):
        table.wrong(key, "not_filled_here", name=filled[0])
    if text:
        try:
            check(text)
        except (JMESPathError, ValueError, SyntaxError, etree.Error):
            table.wrong(key, f"bad_{check.__name__}")
            return ""
    return text


def filled_names(text: str) -> list[str]:
    """The placeholders in a text that is not part of a request, where none is filled in."""
    known = {*FORMS, *MANY_NUMBERS, *WITH_MANY_NUMBERS, "ticket", *ANYWHERE}
    return [one.name for one in placeholders(text) if one.is_secret or one.name in known]


def path(text: str) -> None:
    """Raises JMESPathError."""
    jmespath.compile(text)


def items(text: str) -> None:
    """Raises JMESPathError, also for what follows MAP."""
    jmespath.compile((text.removeprefix(MAP).strip() or "@") if text.startswith(MAP) else text)


def item_key(text: str) -> None:
    """Raises JMESPathError, also for what follows EACH."""
    jmespath.compile((text.removeprefix(EACH).strip() or "@") if text.startswith(EACH) else text)


def css(text: str) -> None:
    """Raises ValueError or SyntaxError."""
    Selector("<p/>").css(text)


def date_format(text: str) -> None:
    """Raises ValueError for what is no form of a whole date."""
    sample = datetime(2001, 12, 31)  # noqa: DTZ001
    if datetime.strptime(sample.strftime(text), text).date() != sample.date():  # noqa: DTZ007
        raise ValueError("not a whole date")


def check_xpath(text: str, namespaces: Mapping[str, str]) -> None:
    """Raises ValueError, also for the pattern functions of EXSLT: they would run a pattern without any bound."""
    if re.search(r"\bre\s*:", text):
        raise ValueError("re: in an XPath")
    Selector("<p/>", type="xml", namespaces=dict(namespaces) or None).xpath(text)


def regex(text: str) -> None:
    """Raises ValueError for what the engine of patterns does not know."""
    pattern(text)

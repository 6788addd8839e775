"""What a lookup costs, as the forms of a draft say it: before its first question, and where it is offered."""

import re
from collections.abc import Mapping
from decimal import Decimal

from babel.numbers import format_decimal
from flask_babel import get_locale, gettext

from portal.jobs.words.money import money_words
from portal.sources.editor.document import RecipeDocument
from portal.sources.money import billionths

FIGURE = re.compile(r"\d{1,6}(?:[.,]\d{1,9})?")
CURRENCY = re.compile(r"[A-Z]{3}")
CREDITS = re.compile(r"cr[eé]dito?s?", re.IGNORECASE)
SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "": "EUR"}


def take_price(document: RecipeDocument, form: Mapping[str, str]) -> str:
    """Keep the price of the form; returns what is wrong with it. 0: a lookup is free. Where the answer says the price,
    the figure is what it is at most."""
    if "price" not in form:
        return ""
    typed, path = form["price"].strip(), form.get("price_path", "").strip()[:200]
    price = figure(typed)
    if typed and not price:
        return gettext("Write the price as a figure, such as 0.004; 0 if a lookup is free.")
    if not price and not path:
        return gettext("Say what a lookup costs first; 0 if it is free.")
    currency = form.get("currency", "").strip()
    currency = SIGNS.get(currency) or ("credits" if CREDITS.fullmatch(currency) else currency.upper())
    if currency != "credits" and not CURRENCY.fullmatch(currency):
        return gettext("Write the currency as EUR, USD or another such code, or “credits”.")
    amount = _number(price) if price else None
    document.set("cost", "most", amount or None if path else None)
    document.set("cost", "price", path or amount)
    document.set("cost", "per", "found" if form.get("per") == "found" and amount and not path else None)
    document.set("cost", "currency", currency)
    return ""


def typed_price(document: RecipeDocument) -> str:
    """The figure of the form, as people here write it; empty where the recipe has none."""
    cost = document.value("cost") or {}
    price = cost.get("most") if isinstance(cost.get("price"), str) else cost.get("price")
    if price is None:
        return ""
    locale = str(get_locale() or "es")
    return format_decimal(Decimal(str(price)), locale=locale, decimal_quantization=False, group_separator=False)


def price_words(document: RecipeDocument) -> str:
    """What a lookup costs, in a sentence; empty where the recipe does not say it."""
    cost = document.value("cost") or {}
    price = cost.get("price")
    if price is None:
        return ""
    if isinstance(price, str):
        return gettext("The answer says what a lookup costs.")
    if not price:
        return gettext("A lookup is free.")
    amount = money_words(billionths(Decimal(str(price))), cost.get("currency", ""))
    if cost.get("per") == "found":
        return gettext("A lookup costs %(amount)s, only for numbers with data.", amount=amount)
    return gettext("A lookup costs %(amount)s.", amount=amount)


def figure(text: str) -> str:
    """A figure as a recipe writes it, from 1,5 or 1.5; empty for what is none."""
    text = text.strip()
    if not FIGURE.fullmatch(text):
        return ""
    return format(Decimal(text.replace(",", ".")).normalize(), "f")


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)

"""Language, time zone and theme of the reader: how they are chosen and changed, and what templates get of them."""

from collections.abc import Generator, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Flask, Response, current_app, has_request_context, make_response, redirect, request
from flask_babel import force_locale, get_locale, lazy_gettext
from flask_login import current_user

from portal.accounts import set_display
from portal.config import LOCALES
from portal.web.access import cookie_name, keep_cookie, only_read, safe_next

THEMES = ("light", "dark", "auto")

blueprint = Blueprint("locale", __name__)


def chosen_locale() -> str:
    """The person's choice, else this browser's choice by cookie, else its language, else the portal's default, which is
    also that of code outside a request."""
    if not has_request_context():
        return str(current_app.config["DEFAULT_LOCALE"])
    chosen = getattr(current_user, "locale", None) or request.cookies.get(cookie_name("locale"))
    if chosen in LOCALES:
        return chosen
    return request.accept_languages.best_match(LOCALES) or current_app.config["DEFAULT_LOCALE"]


def chosen_time_zone() -> str:
    """The person's time zone, else the portal's."""
    return getattr(current_user, "time_zone", None) or current_app.config["DEFAULT_TIME_ZONE"]


def reader_zone() -> ZoneInfo:
    """The same for date arithmetic. Babel's zone comes from pytz, where a day started with `replace` begins at the
    local mean time of the nineteenth century."""
    return ZoneInfo(chosen_time_zone())


@blueprint.post("/look")
def look() -> Response:
    """Keep the language and the theme of this browser in cookies; works signed out and without JavaScript.

    For a signed-in person the language is saved to the account too: otherwise the earlier choice there would win.
    """
    if current_user.is_authenticated and request.form.get("locale") in LOCALES:
        set_display(current_user.id, locale=request.form["locale"])
    answer = make_response(redirect(safe_next(request.form.get("next")), 303))
    for name, allowed in (("locale", LOCALES), ("theme", THEMES)):
        value = request.form.get(name, "")
        if value in allowed:
            keep_cookie(answer, name, value)
    return answer


LANGUAGES = (("es", "Español"), ("en", "English"))  # each in its own language
THEME_WORDS = (("light", lazy_gettext("Light")), ("dark", lazy_gettext("Dark")), ("auto", lazy_gettext("Automatic")))


def set_up(app: Flask) -> None:
    """Give every template what the page header needs."""

    def page_settings() -> dict[str, Any]:
        # The sweep renders emails from templates too, outside of any request.
        theme = request.cookies.get(cookie_name("theme")) if has_request_context() else None
        return {
            "languages": LANGUAGES,
            "themes": THEME_WORDS,
            "page_theme": theme if theme in THEMES else "auto",
            "page_language": str(get_locale() or app.config["DEFAULT_LOCALE"]),
        }

    app.context_processor(page_settings)


def in_readers_language(app: Flask, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Take the pieces as they are sent, after the request's own context has ended, in the language of this request.
    They only read.

    Each piece gets a context of its own. Flask's `stream_with_context` keeps one open between pieces, and a download
    that is broken off would end it wherever the server happens to clean up.
    """
    return _each(app, str(get_locale() or "en"), pieces)


def _each(app: Flask, language: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        while True:
            with app.app_context(), force_locale(language):
                only_read()
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece
    finally:
        if isinstance(pieces, Generator):
            pieces.close()

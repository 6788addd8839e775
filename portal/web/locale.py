"""The language, time zone and theme of a reader: how they are chosen and changed, and what every page gets of them."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Flask, Response, current_app, has_request_context, redirect, request
from flask_babel import get_locale, lazy_gettext
from flask_login import current_user

from portal.accounts import set_display
from portal.config import LOCALES
from portal.web.access import safe_next

THEMES = ("light", "dark", "auto")
YEAR_SECONDS = 365 * 24 * 3600

blueprint = Blueprint("locale", __name__)


def chosen_locale() -> str:
    """The person's choice, else this browser's choice by cookie, else its language, else the portal's default."""
    chosen = getattr(current_user, "locale", None) or request.cookies.get("locale")
    if chosen in LOCALES:
        return chosen
    return request.accept_languages.best_match(LOCALES) or current_app.config["DEFAULT_LOCALE"]


def chosen_time_zone() -> str:
    """The person's time zone, else the portal's."""
    return getattr(current_user, "time_zone", None) or current_app.config["DEFAULT_TIME_ZONE"]


def reader_zone() -> ZoneInfo:
    """The same to reckon with. The one that Babel gives is pytz's: a day that is begun by `replace` in it begins at the
    local mean time of the nineteenth century."""
    return ZoneInfo(chosen_time_zone())


@blueprint.post("/look")
def look() -> Response:
    """Keep the language and the theme of this browser in cookies; works signed out and without JavaScript.

    Who is signed in takes the language along, or their earlier choice would outweigh the button they just pressed.
    """
    if current_user.is_authenticated and request.form.get("locale") in LOCALES:
        set_display(current_user.id, locale=request.form["locale"])
    answer = redirect(safe_next(request.form.get("next")), 303)
    for name, allowed in (("locale", LOCALES), ("theme", THEMES)):
        value = request.form.get(name, "")
        if value in allowed:
            secure = current_app.config["SESSION_COOKIE_SECURE"]
            answer.set_cookie(name, value, max_age=YEAR_SECONDS, samesite="Lax", httponly=True, secure=secure)
    return answer  # type: ignore[return-value]


LANGUAGES = (("es", "Español"), ("en", "English"))  # each in its own words
THEME_WORDS = (("light", lazy_gettext("Light")), ("dark", lazy_gettext("Dark")), ("auto", lazy_gettext("Auto")))


def set_up(app: Flask) -> None:
    """Give the templates what the frame needs."""

    def frame() -> dict[str, Any]:
        # A mail is written from a template too, by the sweep, where nobody has sent a request.
        theme = request.cookies.get("theme") if has_request_context() else None
        return {
            "languages": LANGUAGES,
            "themes": THEME_WORDS,
            "page_theme": theme if theme in THEMES else "auto",
            "page_language": str(get_locale() or app.config["DEFAULT_LOCALE"]),
        }

    app.context_processor(frame)

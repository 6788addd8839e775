"""What the frame of every page needs: the theme and the languages on offer."""

from typing import Any

from flask import Flask, has_request_context, request
from flask_babel import get_locale, lazy_gettext

LANGUAGES = (("es", "Español"), ("en", "English"))  # each in its own words
THEMES = (("light", lazy_gettext("Light")), ("dark", lazy_gettext("Dark")), ("auto", lazy_gettext("Auto")))


def set_up(app: Flask) -> None:
    """Give the templates what the frame needs."""

    def frame() -> dict[str, Any]:
        # A mail is written from a template too, by the sweep, where nobody has sent a request.
        theme = request.cookies.get("theme") if has_request_context() else None
        return {
            "languages": LANGUAGES,
            "themes": THEMES,
            "page_theme": theme if theme in ("light", "dark") else "auto",
            "page_language": str(get_locale() or app.config["DEFAULT_LOCALE"]),
        }

    app.context_processor(frame)

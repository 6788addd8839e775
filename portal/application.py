"""Builds the Flask application from all packages."""

from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import cli, logs, web
from portal.config import ROOT, environment, read_settings
from portal.database import db, engine_options
from portal.documents.storage_choice import storage_of
from portal.extensions import Migrations, babel, csrf, htmx, login, mail
from portal.redis_client import quick_redis
from portal.sources import catalogue
from portal.sources.recipe_store import RecipeStore
from portal.sources.secret_store import SecretStore
from portal.web import locale


def build(settings: dict[str, Any] | None = None) -> Flask:
    """Build the application. `settings` come from `read_settings`, which is called when they are missing.

    Raises SettingError for an invalid setting.
    """
    settings = settings or read_settings()
    app = Flask(__name__, root_path=str(ROOT), instance_path=str(settings["PORTAL_DATA_DIR"]))
    secure = settings["PUBLIC_URL"].startswith("https://")
    app.config.from_mapping(
        settings,
        SQLALCHEMY_DATABASE_URI=settings["DATABASE_URL"],
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings["DATABASE_URL"]),
        MAX_CONTENT_LENGTH=settings["MAX_UPLOAD_MB"] * 1024 * 1024 + 64 * 1024,  # plus the form around the file
        WTF_CSRF_TIME_LIMIT=None,  # a form left open overnight still works
        SESSION_COOKIE_NAME="__Host-session" if secure else "masterfilter",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        BABEL_DEFAULT_LOCALE=settings["DEFAULT_LOCALE"],
        BABEL_DEFAULT_TIMEZONE=settings["DEFAULT_TIME_ZONE"],
        BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "portal" / "translations"),
    )
    logs.set_up(settings["PORTAL_DATA_DIR"], settings["LOG_LEVEL"])
    if settings["TRUSTED_PROXIES"]:
        hops = settings["TRUSTED_PROXIES"]
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    db.init_app(app)
    app.extensions["migrate"] = Migrations(db, ROOT / "portal" / "migrations")
    csrf.init_app(app)
    htmx.init_app(app)
    mail.init_app(app)
    login.init_app(app)
    babel.init_app(app, locale_selector=locale.chosen_locale, timezone_selector=locale.chosen_time_zone)
    app.extensions["storage"] = storage_of(settings)
    catalogue.configure(
        quick_redis(settings["REDIS_URL"], settings["REDIS_PREFIX"]),
        settings["SOURCES_DIR"],
        environment(),
        settings["SOURCES_ALLOW_PRIVATE"],
        settings["SOURCES_PORTS"],
        settings["PORTAL_DATA_DIR"] / "secrets.env",
        settings["SIGNING_KEYS"],
        settings["SOURCES_PROXY"],
    )
    web.register(app)
    cli.register(app)
    return app


def remember_recipes(app: Flask) -> None:
    """Let this process keep the last good recipes in the database, and use those that are there when a file is broken
    or missing."""
    url: str = app.config["SQLALCHEMY_DATABASE_URI"]
    catalogue.remember_in(RecipeStore(url), SecretStore(url, app.config["SIGNING_KEYS"]))

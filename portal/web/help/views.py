"""The pages of help: the list, and each page with what this portal has set and this person may use."""

from typing import Any

from flask import Blueprint, Flask, abort, current_app, render_template, url_for
from flask_babel import get_locale, gettext
from flask_login import current_user
from markupsafe import Markup

from portal.accounts.admin import active_admins
from portal.clock import utcnow
from portal.config import LOCALES
from portal.jobs.admin import portal_settings
from portal.jobs.core.status import CellStatus, Status
from portal.jobs.quotas import quota_of
from portal.jobs.words.statuses import status_words
from portal.web.access import login_required
from portal.web.help.pages import GROUPS, PAGES, pages_for

blueprint = Blueprint("help", __name__)


def set_up(app: Flask) -> None:
    """Let every template link to a help page by its slug."""
    app.jinja_env.globals["help_title"] = help_title


def help_title(slug: str) -> str:
    """The title of a help page. Raises KeyError for a page that does not exist."""
    return str(PAGES[slug].title)


@blueprint.get("/help")
@login_required
def index() -> str:
    """Show the list of help pages."""
    return render_template("help/index.html", groups=pages_for(admin=current_user.is_admin), group_words=GROUPS)


@blueprint.get("/help/<slug>")
@login_required
def show(slug: str) -> str:
    """Show one help page in the reader's language."""
    page = PAGES.get(slug)
    if page is None or (page.for_admins and not current_user.is_admin):
        abort(404)
    language = str(get_locale())
    folder = language if language in LOCALES else "en"
    return render_template(f"help/{folder}/{slug}.html", page=page, **_facts(), ui=ui_word, see=_see)


def ui_word(message: str) -> Markup:
    """A word or button of the portal as its pages write it. It is set apart, and never translated twice."""
    return Markup("<b>{}</b>").format(gettext(message))


def _see(slug: str) -> Markup:
    """A link to another help page."""
    return Markup('<a href="{}">{}</a>').format(url_for("help.show", slug=slug), help_title(slug))


def _facts() -> dict[str, Any]:
    """What the texts say about this portal and this person."""
    settings = current_app.config
    quota = quota_of(current_user.id, utcnow())
    kept = current_user.retention_days
    contact = portal_settings.contact()
    return {
        "rows": quota.rows,
        "files_per_day": quota.per_day,
        "megabytes": settings["MAX_UPLOAD_MB"],
        "max_retries": settings["SCRAPING_MAX_RETRIES"],
        "timeout_minutes": settings["SCRAPING_TIMEOUT_MINUTES"],
        "retention_days": settings["RETENTION_DAYS"] if kept is None else kept,
        "statuses": list(Status),
        "outcomes": list(CellStatus),
        "status_name": lambda status: Markup("<b>{}</b>").format(status_words(status)),
        "contact": contact,
        "admins": [] if contact else active_admins(),
    }

"""The palette: pages by name and files, from a dialog over any page. It asks what the lists ask, and keeps nothing.

What is typed is sent in a form and not in an address, as it may be a telephone number. For a number the palette
searches nothing: it offers the search of the list, which writes into the audit that somebody looked for a number.
"""

import unicodedata

from flask import Blueprint, current_app, render_template, request
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.admin import job_list, phone_search
from portal.jobs.files.file_list import ListFilters, Sort, list_files
from portal.jobs.models import ScrapingJob
from portal.web.access import login_required
from portal.web.admin.filters import ID, REFERENCE, ListQuery
from portal.web.help.pages import PAGES
from portal.web.navigation.places import Place, places_of

blueprint = Blueprint("navigation", __name__)
MOST_FILES = 6
LEAST_LETTERS = 2  # to look for files; fewer would match nearly all


@blueprint.post("/palette")
@login_required
def palette() -> str:
    """Show the pages and files that a text names; the pages alone without one."""
    text = " ".join(request.form.get("q", "").split())[:200]
    country = current_app.config["DEFAULT_COUNTRY"]
    phone = not (ID.fullmatch(text) or REFERENCE.fullmatch(text)) and phone_search.looks_like_a_phone(text, country)
    return render_template(
        "navigation/_found.html",
        q=text,
        places=_places(text),
        help_pages=_help(text),
        jobs=[] if phone or len(text) < LEAST_LETTERS else _jobs(text),
        everybody=current_user.is_admin,
        phone=phone,
    )


def _places(text: str) -> list[Place]:
    return [place for place in places_of(current_user) if _plain(text) in _plain(str(place.name))]


def _help(text: str) -> list[tuple[str, str]]:
    """The help pages that a text names, as slug and title; none without a text."""
    seen = [page for page in PAGES.values() if current_user.is_admin or not page.for_admins]
    return [(page.slug, str(page.title)) for page in seen if text and _plain(text) in _plain(str(page.title))]


def _jobs(text: str) -> list[ScrapingJob]:
    if not current_user.is_admin:
        return list_files(current_user, ListFilters(q=text, sort=Sort.CREATED), utcnow()).jobs[:MOST_FILES]
    if match := REFERENCE.fullmatch(text):
        text = f"#{match[1]}"
    asked = ListQuery(q=text)
    return list(job_list.list_all(asked.filters(current_user, utcnow()), asked.by, None).jobs)[:MOST_FILES]


def _plain(text: str) -> str:
    """The text without accents and capitals: who searches in a hurry types neither."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))

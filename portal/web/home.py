"""What the home page shows: the upload form and the person's own list of files, filtered by the query string."""

from typing import Any

from flask import current_app, flash, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user

from portal import sources
from portal.clock import utcnow
from portal.jobs.core.status import Status
from portal.jobs.files import file_list
from portal.jobs.files.file_list import ListFilters, Place, Show, Sort
from portal.jobs.quotas import quota_of
from portal.sources.words import source_title
from portal.web import cursor

SHOWS = (*Show, *Status)
LONGEST_SEARCH = 200


def home(problem: str = "", **refused: str) -> ResponseReturnValue:
    """The home page; with what was wrong with a form, and what was in it, as a refusal."""
    status = 422 if problem or refused else 200
    page = _files() | refused | {"number_sources": [(name, source_title(name)) for name in _sources()]}
    new_here = not (page["found"].entries or page["asked"].filters or file_list.has_any(current_user.id))
    limits = {"rows": quota_of(current_user.id, utcnow()).rows, "megabytes": current_app.config["MAX_UPLOAD_MB"]}
    return render_template("documents/home.html", problem=problem, new_here=new_here, **limits, **page), status


def files_list() -> str:
    """The person's files under the filters of the query string, as they are on the home page."""
    return render_template("documents/_jobs.html", **_files())


def flash_deleted(names: list[str], items: list[str]) -> None:
    """Say that these files are in the trash, with a button that takes them out again."""
    if len(names) == 1:
        sentence = gettext("%(name)s is in the trash.", name=names[0])
    else:
        sentence = ngettext("%(n)s file is in the trash.", "%(n)s files are in the trash.", len(names), n=len(names))
    flash((sentence, items), "undo")  # type: ignore[arg-type]  # the session keeps it as it is


def _files() -> dict[str, Any]:
    args = request.args
    status, q = args.get("status", ""), args.get("q", "").strip()[:LONGEST_SEARCH]
    wanted = args.get("sort", "")
    sort = Sort(wanted.lstrip("-")) if wanted.lstrip("-") in tuple(Sort) else Sort.ATTENTION
    descending = sort is Sort.ATTENTION or wanted.startswith("-")
    asked = ListFilters(status if status in SHOWS else "", q, sort, descending)
    found = file_list.list_files(
        current_user,
        asked,
        utcnow(),
        after=_place("after"),
        before=_place("before"),
        page=max(1, args.get("page", 1, type=int)),
    )
    kept = {
        "status": asked.status or None,
        "q": asked.q or None,
        "sort": wanted if sort is not Sort.ATTENTION else None,
    }
    pages = {
        "before": cursor.to_text(found.before) if found.before else None,
        "after": cursor.to_text(found.after) if found.after else None,
    }
    return {
        "found": found, "asked": asked, "kept": kept, "pages": pages, "statuses": list(Status),
        "window": file_list.WINDOW,
    }  # fmt: skip


def _place(name: str) -> Place | None:
    given = cursor.from_text(request.args.get(name, ""))
    return Place(*given) if given is not None and len(given) == len(Place._fields) else None


def _sources() -> list[str]:
    """The names of the sources, the portal's own choice first."""
    return sorted(sources.names(), key=lambda name: name != current_app.config["DEFAULT_SOURCE"])

"""The pages. A view finds what the person may see, calls one verb and answers. `register` binds the blueprints to the
application.

Views run no queries, do not commit and compare no statuses. A view reads and acts through what jobs offers: its own
files (`queries`, `commands`, …), the rooms `admin`, `health`, `metrics`, `export` and `words`, and of `core` the
statuses, the rows and what is derived from them. It must not reach behind the verbs: lifecycle, dispatch, attempt,
sweep, worker, notify, the ledger and the timeline. `tests/test_architecture.py` has the list. The
administrators' pages are in `admin`, those about oneself in `account`.
"""

from flask import Flask, request

from portal.sources.catalogue import refresh
from portal.web import (
    access,
    admin,
    columns,
    compression,
    documents,
    errors,
    headers,
    health,
    job_actions,
    jobs,
    locale,
    numbers,
    outage_banner,
    request_fields,
    template_filters,
    text_reading,
)
from portal.web.account import (
    auth,
    notification_settings,
    password_reset,  # noqa: F401 - adds its pages to the blueprint of auth
    two_step,  # noqa: F401 - the same
    webhook,
)
from portal.web.admin import desk_counts, first_steps
from portal.web.corrections import of_document, of_download, of_job
from portal.web.editor import batch, login, offer, steps, versions  # noqa: F401 - add their pages to the blueprint
from portal.web.editor import pages as editor
from portal.web.files import about, download, earlier_list, several, trash
from portal.web.help import sample
from portal.web.help import views as help_pages
from portal.web.live import stream
from portal.web.metrics import own as metrics
from portal.web.navigation import back, palette, places
from portal.web.repeats import pages as repeats


def register(app: Flask) -> None:
    """Bind all pages, and what every response needs, to the application."""
    request_fields.set_up(app)
    app.before_request(_fresh_sources)
    access.set_up(app)
    headers.set_up(app)
    health.set_up(app)
    compression.set_up(app)
    errors.set_up(app)
    locale.set_up(app)
    template_filters.set_up(app)
    template_filters.set_up_admin(app)
    outage_banner.set_up(app)
    for module in (places, back, desk_counts, help_pages, first_steps):
        module.set_up(app)
    about_files = (documents, numbers, jobs, job_actions, stream, columns, metrics, text_reading, sample)
    whole_files = (trash, several, download, about, earlier_list)
    about_cells = (of_document, of_job, of_download, repeats)
    about_oneself = (auth, notification_settings, webhook)
    everywhere = (help_pages, palette, admin, editor, health, locale)
    for module in (*about_files, *whole_files, *about_cells, *about_oneself, *everywhere):
        app.register_blueprint(module.blueprint)


def _fresh_sources() -> None:
    """Reload changed recipes, so that a recipe just saved is on the next page."""
    if request.endpoint not in (None, "static"):
        refresh()

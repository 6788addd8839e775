"""The pages. A view is: find with the right to see → one verb → answer. No query and no comparing of statuses here:
`jobs.queries` is asked. `register` binds the blueprints to the application."""

from flask import Flask, request

from portal.sources import refresh
from portal.web import (
    access,
    admin,
    audit,  # noqa: F401 - this and the other pages of admins are on their blueprint
    auth,
    bulk,  # noqa: F401
    desk_words,
    documents,
    errors,
    figures,
    forgot,  # noqa: F401 - its pages are beside those of auth
    frame,
    given,
    headers,
    health,
    job_actions,
    jobs,
    locale,
    notices,  # noqa: F401 - its pages are on the admins' blueprint
    operations,  # noqa: F401
    people,  # noqa: F401
    sources,  # noqa: F401
    standstill,
    triage,  # noqa: F401
    webhook,
    wellbeing,  # noqa: F401
    wishes,
    words,
)


def register(app: Flask) -> None:
    """Bind all pages, and what goes with every answer, to the application."""
    given.set_up(app)
    app.before_request(_fresh_sources)
    access.set_up(app)
    headers.set_up(app)
    errors.set_up(app)
    frame.set_up(app)
    words.set_up(app)
    desk_words.set_up(app)
    standstill.set_up(app)
    for room in (auth, documents, jobs, job_actions, figures, admin, health, locale, wishes, webhook):
        app.register_blueprint(room.blueprint)


def _fresh_sources() -> None:
    """A recipe that was just saved is on the page that is asked for next."""
    if request.endpoint not in (None, "static"):
        refresh()

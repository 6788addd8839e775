"""`/events`: the stream of what changes on an open page. A process that holds no streams answers 204, "there is nothing
to follow", so that pages poll and none of its threads waits."""

import threading
from collections.abc import Iterator

from flask import Blueprint, Flask, Response, abort, current_app, request, session
from flask_babel import get_locale
from flask_login import current_user
from flask_wtf.csrf import generate_csrf

from portal.accounts import session_id
from portal.jobs import commands, queries
from portal.web import job_page
from portal.web.access import login_required
from portal.web.live.hub import Hub
from portal.web.live.listener import listen
from portal.web.live.watcher import Watcher
from portal.web.live.watches import ANYBODY, JobWatch, ListWatch, Reader, Watch
from portal.web.locale import chosen_time_zone
from portal.web.request_fields import id_list

blueprint = Blueprint("events", __name__)

MOST_IDS = 100  # a list's page has 25
FILTERS = ("status", "q", "sort", "after", "before", "page")  # of the home page's list
RETRY_SECONDS = "5"


def serve(app: Flask) -> Hub:
    """Let this process hold streams. Call it once, in the process that does nothing else."""
    hub = app.extensions["streams"] = Hub(app)
    settings = app.config
    threading.Thread(target=hub.run, name="live", daemon=True).start()
    arguments = (hub, settings["REDIS_URL"], settings["REDIS_PREFIX"], lambda: hub.is_closed)
    threading.Thread(target=listen, args=arguments, name="changes", daemon=True).start()
    return hub


@blueprint.get("/events")
@login_required
def follow() -> Response:
    """The stream of a job's page (`job`, with the filter of its rows) or of a list (`jobs`, `everybody`, or the filters
    of the home page). `v` is the version that the page shows."""
    hub: Hub | None = current_app.extensions.get("streams")
    watch = _watch()
    if watch is None or hub is None:
        return Response(status=204)
    watcher = Watcher(session_id(current_user), request.args.get("v", ""), generate_csrf())
    if not hub.has_room(watcher.session_id):
        return Response(status=503, headers={"Retry-After": RETRY_SECONDS})
    hub.add(watch, watcher)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    answer = Response(_messages(app, hub, watch, watcher, current_user.id), mimetype="text/event-stream")
    answer.headers["X-Accel-Buffering"] = "no"  # nginx passes each message on at once
    answer.call_on_close(lambda: hub.remove(watch, watcher))
    return answer


def _messages(app: Flask, hub: Hub, watch: Watch, watcher: Watcher, user_id: int) -> Iterator[bytes]:
    """The messages. A page that is hidden has no stream: whoever gets the end of a job's sees it end."""
    try:
        yield from watcher.messages()
    finally:
        hub.remove(watch, watcher)
    if isinstance(watch, JobWatch) and watcher.has_seen_the_end:
        with app.app_context():
            commands.note_seen(watch.job_id, user_id)


def _watch() -> Watch | None:
    """What the page follows; None if that is nothing. A job that the person may not see is a 404."""
    fields = request.args
    if "job" in fields:
        job_id = next(iter(id_list(fields["job"])), 0)
        job = queries.find_job(current_user, job_id) or abort(404)
        find = fields.get("find", "")
        searched = session.get(job_page.SEARCHES, {}).get(find, "")
        shown = {"outcome": fields.get("outcome", ""), "page": fields.get("page", "")}
        reader = _reader(shared=job.user_id != current_user.id)
        return JobWatch(reader, job_id, **shown, find=find if searched else "", searched=searched)
    if "jobs" not in fields:
        return None
    everybody = "everybody" in fields and bool(current_user.is_admin)
    ids = tuple(id_list(fields["jobs"])[:MOST_IDS])
    query = tuple((name, fields[name][:2000]) for name in FILTERS if fields.get(name)) if not everybody else ()
    return ListWatch(_reader(shared=everybody), ids, everybody, query)


def _reader(*, shared: bool) -> Reader:
    is_admin = bool(current_user.is_admin)
    user_id = ANYBODY if shared and is_admin else current_user.id
    return Reader(user_id, is_admin, str(get_locale() or current_app.config["DEFAULT_LOCALE"]), chosen_time_zone())

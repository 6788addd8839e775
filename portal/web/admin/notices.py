"""The pages of notices: recipient, channel, state and answer; an email as it was sent; send again."""

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.notices import log, words
from portal.notices.email.build import shown_to_admins
from portal.notices.models import Delivery
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint
from portal.web.headers import POLICY
from portal.web.request_fields import whole

# An email contains its own styles, and is shown in a frame that allows nothing else.
EMAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; " \
    "frame-ancestors 'self'; sandbox"  # fmt: skip


@blueprint.get("/admin/notices", endpoint="notices")
@admin_required
def index() -> str:
    """Show the notices, newest first, with the number of undelivered ones on top."""
    state = request.args.get("state", "")
    before = max(0, request.args.get("before", default=0, type=whole))
    return render_template(
        "admin/notices.html",
        log=log.log_of_all(state, before),
        state=state,
        before=before,
        states=[(one.value, words.STATES[one]) for one in Delivery],
        undelivered=log.undelivered_count(),
        words=words,
    )


@blueprint.get("/admin/notices/<id:notice_id>", endpoint="notice")
@admin_required
def show(notice_id: int) -> Response:
    """Show one notice with its delivery and, for an email, its text and its HTML."""
    found = _found(notice_id)
    email = shown_to_admins(found.notice)
    page = render_template("admin/notice.html", found=found, email=email, words=words)
    if email:
        log.note_read(found, current_user.email, utcnow())
    answer = make_response(page)
    answer.headers["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return answer


@blueprint.get("/admin/notices/<id:notice_id>/email", endpoint="notice_email")
@admin_required
def email_html(notice_id: int) -> Response:
    """Send the email's HTML, for the frame on its page."""
    found = _found(notice_id)
    written = shown_to_admins(found.notice) or abort(404)
    log.note_read(found, current_user.email, utcnow())
    answer = make_response(written.html or "")
    answer.headers["Content-Security-Policy"] = EMAIL_POLICY
    return answer


@blueprint.post("/admin/notices/<id:notice_id>/again", endpoint="send_notice_again")
@admin_required
def send_again(notice_id: int) -> Response:
    """Send it once more, under the same Message-ID."""
    _found(notice_id)
    if log.send_again(notice_id, current_user.email, utcnow()):
        flash(gettext("It will be sent again within a minute."), "ok")
    else:
        flash(gettext("It is already being sent, or went out in a digest, so nothing was changed."), "info")
    return make_response(redirect(url_for("admin.notice", notice_id=notice_id), 303))


def _found(notice_id: int) -> log.LoggedNotice:
    return log.find_notice(notice_id) or abort(404)

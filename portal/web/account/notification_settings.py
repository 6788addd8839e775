"""Which emails a person gets: the form on the account page, and the unsubscribe link of each email.

Mail scanners open every link in an email, so that opening the link only shows a button. The "unsubscribe" of a mail
program sends the POST of RFC 8058, without a session or CSRF token: the signed token allows this and nothing else.
"""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, gettext
from flask_login import current_user, login_required

from portal.clock import utcnow
from portal.extensions import csrf
from portal.notices import words
from portal.notices.preferences import DEFAULTS, FOR_ADMINS, choose, recipient_locale
from portal.notices.unsubscribe import read_token

blueprint = Blueprint("notification_settings", __name__)


@blueprint.post("/account/notices")
@login_required
def save() -> ResponseReturnValue:
    """Save what is ticked."""
    names = [name for name in DEFAULTS if current_user.is_admin or name not in FOR_ADMINS]
    choose(current_user.id, utcnow(), **{name: name in request.form for name in names})
    flash(gettext("Saved."), "ok")
    return redirect(url_for("auth.account", _anchor="notices"), 303)


@blueprint.get("/notices/stop/<token>")
def ask_unsubscribe(token: str) -> ResponseReturnValue:
    """Ask for confirmation. Opening the link changes nothing."""
    return _page(token, done=False)


@blueprint.post("/notices/stop/<token>")
@csrf.exempt
def unsubscribe(token: str) -> ResponseReturnValue:
    """Unsubscribe, by the button or by a mail program."""
    user_id, preference = read_token(token) or abort(404)
    choose(user_id, utcnow(), **{preference: False})
    return _page(token, done=True)


def _page(token: str, *, done: bool) -> str:
    user_id, preference = read_token(token) or abort(404)
    with force_locale(recipient_locale(user_id)):
        what = str(words.PREFERENCES[preference])
        return render_template("auth/unsubscribe.html", token=token, what=what, done=done)

"""What a person wants to be told: the form on the account's page, and the address in each letter that stops its kind.

Mail scanners open every link of a letter, so that opening that address only shows a button. A mail program's own
"unsubscribe" sends the POST of RFC 8058: it has no session and no token of a form, and can do nothing else.
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

blueprint = Blueprint("wishes", __name__)


@blueprint.post("/account/notices")
@login_required
def keep() -> ResponseReturnValue:
    """Keep what is ticked."""
    asked = [name for name in DEFAULTS if current_user.is_admin or name not in FOR_ADMINS]
    choose(current_user.id, utcnow(), **{name: name in request.form for name in asked})
    flash(gettext("Saved."), "ok")
    return redirect(url_for("auth.account", _anchor="notices"), 303)


@blueprint.get("/notices/stop/<token>")
def stop(token: str) -> ResponseReturnValue:
    """Ask whether these letters shall stop. Opening it changes nothing."""
    return _page(token, done=False)


@blueprint.post("/notices/stop/<token>")
@csrf.exempt
def stopped(token: str) -> ResponseReturnValue:
    """Stop them: by the button, or by a mail program."""
    user_id, wish = read_token(token) or abort(404)
    choose(user_id, utcnow(), **{wish: False})
    return _page(token, done=True)


def _page(token: str, *, done: bool) -> str:
    user_id, wish = read_token(token) or abort(404)
    with force_locale(recipient_locale(user_id)):
        what = str(words.PREFERENCES[wish])
        return render_template("auth/stop_letters.html", token=token, what=what, done=done)

"""Two-step sign-in on the account page: set it up with an app's QR code, switch it off, get new recovery codes. Each
asks for the password, which a stolen session does not have.
"""

import segno
from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user, login_required

from portal import accounts
from portal.accounts import two_step
from portal.accounts.errors import PROBLEMS
from portal.clock import utcnow
from portal.notices.password_mails import announce_two_step
from portal.web.access import visitor
from portal.web.account.auth import account_page, blueprint, wait_words


@blueprint.post("/account/two-step")
@login_required
def begin_two_step() -> Response:
    """Make a key for the app, after the password."""
    refused = _password_refused()
    if refused:
        return refused
    two_step.begin_set_up(current_user)
    return make_response(redirect(url_for("auth.two_step_set_up"), 303))


@blueprint.get("/account/two-step")
@login_required
def two_step_set_up() -> Response:
    """The QR code and the field for a first code. Without a key, or once the step is on, back to the account."""
    return _set_up_page()


@blueprint.post("/account/two-step/confirm")
@login_required
def confirm_two_step() -> Response:
    """Switch the step on with a code from the app, and show the recovery codes, once."""
    try:
        codes = two_step.confirm(
            current_user, request.form.get("code", "")[:100], visitor(), utcnow(), announce_two_step
        )
    except accounts.AccountError as error:
        return _set_up_page(str(PROBLEMS[error.problem]), 422)
    except accounts.TooManyTries as error:
        return _set_up_page(wait_words(error.seconds), 429)
    return make_response(render_template("auth/recovery_codes.html", codes=codes, first=True))


@blueprint.post("/account/two-step/codes")
@login_required
def renew_recovery_codes() -> Response:
    """Replace the recovery codes, after the password, and show the new ones, once."""
    refused = _password_refused()
    if refused or not two_step.is_on(current_user):
        return refused or _account()
    codes = two_step.renew_recovery_codes(current_user, utcnow())
    return make_response(render_template("auth/recovery_codes.html", codes=codes, first=False))


@blueprint.post("/account/two-step/off")
@login_required
def switch_two_step_off() -> Response:
    """Switch the step off, after the password."""
    refused = _password_refused()
    if refused:
        return refused
    two_step.switch_off(current_user, utcnow(), announce_two_step)
    flash(gettext("Two-step sign-in is off. The next sign-in asks only for the password."), "ok")
    return _account()


def _password_refused() -> Response | None:
    """The account page with what is wrong about the password; None if it is right."""
    try:
        accounts.check_password(current_user, request.form.get("password", ""), visitor(), utcnow())
    except accounts.AccountError as error:
        return make_response(account_page(two_step_problem=str(PROBLEMS[error.problem])), 422)
    except accounts.TooManyTries as error:
        return make_response(account_page(two_step_problem=wait_words(error.seconds)), 429)
    return None


def _set_up_page(problem: str = "", status: int = 200) -> Response:
    if two_step.is_on(current_user) or not current_user.totp_key:
        return _account()
    qr, key = _qr_path(two_step.key_address(current_user)), current_user.totp_key
    page = render_template("auth/two_step.html", qr=qr, key=key, problem=problem)
    return make_response(page, status)


def _qr_path(text: str) -> dict[str, object]:
    """The QR code as one path of dark squares, for an inline SVG: no image, no style, nothing the policy forbids."""
    code = segno.make_qr(text, error="m")
    width = code.symbol_size(border=0)[0]
    squares = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(code.matrix) for x, dark in enumerate(row) if dark)
    return {"width": width, "path": "".join(squares)}


def _account() -> Response:
    return make_response(redirect(url_for("auth.account", _anchor="two-step"), 303))

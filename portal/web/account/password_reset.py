"""Password reset and invitations: requesting the email, and choosing a password through its link.

Opening the link changes nothing, because mail scanners open it. The pages never reveal whether an account exists.
"""

from flask import Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from portal import accounts
from portal.accounts import password_links
from portal.accounts.errors import PROBLEMS
from portal.clock import utcnow
from portal.notices.password_mails import announce_password, request_reset
from portal.web.access import visitor
from portal.web.account.auth import blueprint, go_on, wait_words


@blueprint.get("/forgot")
def forgot() -> str:
    """The form for the email address."""
    return render_template("auth/forgot.html", email=request.args.get("email", "")[:254])


@blueprint.post("/forgot")
def ask() -> ResponseReturnValue:
    """Send the reset email. The answer is the same whether or not the account exists."""
    email = request.form.get("email", "")[:254]
    try:
        request_reset(email, request.remote_addr or "", utcnow())
    except accounts.TooManyTries as error:
        page = render_template("auth/forgot.html", email=email, problem=wait_words(error.seconds))
        return page, 429, {"Retry-After": str(error.seconds)}
    mail = bool(current_app.config["MAIL_SERVER"])
    return render_template("auth/forgot_sent.html", email=email.strip(), mail=mail)


@blueprint.get("/reset/<token>")
def reset(token: str) -> Response:
    """The form for a new password, or that the link has expired."""
    return _page(token)


@blueprint.post("/reset/<token>")
def choose(token: str) -> Response:
    """Set the password and sign in with it, by the same steps as the login page. This uses the link up and ends every
    other session of the person."""
    password, now = request.form.get("password", ""), utcnow()
    try:
        user = password_links.choose_password(token, password, visitor(), now, announce_password)
    except accounts.AccountError as error:
        return _page(token, None if error.problem is accounts.AccountProblem.LINK_EXPIRED else error.problem)
    try:
        found = accounts.sign_in(user.email, password, visitor(), now)
    except accounts.TooManyTries:
        found = None
    if found is None:
        flash(gettext("Your password has been saved. Sign in with it."), "ok")
        return make_response(redirect(url_for("auth.login"), 303))
    answer = go_on(found, "/")
    if found.token is not None:
        flash(gettext("Your password has been saved."), "ok")
    return answer


def _page(token: str, problem: accounts.AccountProblem | None = None) -> Response:
    access = password_links.read_token(token, utcnow())
    if access is None:
        return make_response(render_template("auth/reset_expired.html"), 404)
    page = render_template("auth/reset.html", access=access, problem=problem, words=PROBLEMS)
    return make_response(page, 422 if problem else 200)

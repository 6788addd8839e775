"""Signing in and out, setting up the first admin, and the account page."""

from zoneinfo import available_timezones

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user, login_required, login_user, logout_user

from portal import accounts
from portal.accounts.errors import PROBLEMS
from portal.clock import utcnow
from portal.config import LOCALES
from portal.notices.preferences import preferences_of
from portal.web.access import safe_next

blueprint = Blueprint("auth", __name__)
TIME_ZONES = tuple(sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")))


@blueprint.get("/login")
def login() -> ResponseReturnValue:
    """The sign-in form. Someone already signed in is redirected."""
    goal = safe_next(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(goal)
    return render_template("auth/login.html", goal=goal, anybody=accounts.any_user_exists())


@blueprint.post("/login")
def sign_in() -> ResponseReturnValue:
    """Sign in. A wrong address and a wrong password get the same message and take the same time."""
    email, goal = request.form.get("email", ""), safe_next(request.form.get("next"))
    try:
        found = accounts.sign_in(email, request.form.get("password", ""), request.remote_addr or "", utcnow())
    except accounts.TooManyTries as error:
        return _login_again(email, goal, wait_words(error.seconds), 429, error.seconds)
    if found is None:
        return _login_again(email, goal, gettext("The email address or password is wrong."), 401)
    _start_session(*found)
    return redirect(goal, 303)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign this browser out; pressing it twice does no harm."""
    if current_user.is_authenticated:
        accounts.end_session(current_user.get_id())
    logout_user()
    session.clear()
    return redirect(url_for("auth.login"), 303)


@blueprint.get("/setup/<token>")
def setup(token: str) -> ResponseReturnValue:
    """The first admin's form, at the address shown in the terminal."""
    if not accounts.setup_link_is_open(token, utcnow()):
        return render_template("auth/setup_expired.html"), 404
    return render_template("auth/setup.html")


@blueprint.post("/setup/<token>")
def first_admin(token: str) -> ResponseReturnValue:
    """Create the first admin, once, and sign them in."""
    email, now = request.form.get("email", ""), utcnow()
    if not accounts.setup_link_is_open(token, now):  # before the expensive hash: anyone can send this
        return render_template("auth/setup_expired.html"), 404
    try:
        user = accounts.use_setup_link(token, email, request.form.get("password", ""), now)
    except accounts.AccountError as error:
        if error.problem is accounts.AccountProblem.LINK_EXPIRED:
            return render_template("auth/setup_expired.html"), 404
        return render_template("auth/setup.html", email=email, problem=error.problem, words=PROBLEMS), 422
    _start_session(user, accounts.start_session(user, now))
    flash(gettext("Welcome. You are the administrator of this portal."), "ok")
    return redirect("/", 303)


@blueprint.get("/account")
@login_required
def account() -> ResponseReturnValue:
    """The account page: language, time zone, password, emails and webhook."""
    return _account_page()


@blueprint.post("/account")
@login_required
def change_account() -> ResponseReturnValue:
    """Handle both forms of the page: language and time, and password."""
    if "new_password" in request.form:
        return _change_password()
    language, zone = request.form.get("locale"), request.form.get("time_zone")
    chosen = {"locale": language if language in LOCALES else None, "time_zone": zone if zone in TIME_ZONES else None}
    accounts.set_display(current_user.id, **chosen)
    current_user.locale = chosen["locale"]  # so that the message is already in the new language
    flash(gettext("Saved."), "ok")
    return redirect(url_for("auth.account"), 303)


def _change_password() -> ResponseReturnValue:
    current, new = request.form.get("password", ""), request.form.get("new_password", "")
    try:
        accounts.change_password(current_user, current, new, request.remote_addr or "", utcnow())
    except accounts.AccountError as error:
        return _account_page(error.problem), 422
    except accounts.TooManyTries as error:
        return _account_page(wait=wait_words(error.seconds)), 429
    flash(gettext("Your password has been changed. You have been signed out on other devices."), "ok")
    return redirect(url_for("auth.account"), 303)


def _start_session(user: accounts.User, token: str) -> None:
    """Start a session in this browser. Its old session data is dropped, in case an attacker planted it."""
    session.clear()
    user.session_token = token
    login_user(user)


def _login_again(email: str, goal: str, problem: str, status: int, wait: int | None = None) -> ResponseReturnValue:
    page = render_template("auth/login.html", goal=goal, anybody=True, email=email, problem=problem)
    return page, status, {"Retry-After": str(wait)} if wait else {}


def _account_page(problem: accounts.AccountProblem | None = None, wait: str = "") -> str:
    return render_template(
        "auth/account.html",
        zones=TIME_ZONES,
        portal_zone=current_app.config["DEFAULT_TIME_ZONE"],
        problem=problem,
        words=PROBLEMS,
        wait=wait,
        wishes=preferences_of(current_user.id),
    )


def wait_words(seconds: int) -> str:
    """How long to wait before the next attempt."""
    if seconds <= 90:
        return ngettext(
            "Too many attempts. Wait %(num)s second and try again.",
            "Too many attempts. Wait %(num)s seconds and try again.",
            seconds,
        )
    minutes = -(-seconds // 60)
    return ngettext(
        "Too many attempts. Wait %(num)s minute and try again.",
        "Too many attempts. Wait %(num)s minutes and try again.",
        minutes,
    )

"""Signing in, in one step or two, signing out, setting up the first admin, and the account page."""

from typing import Any
from zoneinfo import available_timezones

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user, login_required, login_user, logout_user

from portal import accounts
from portal.accounts import two_step
from portal.accounts.errors import PROBLEMS
from portal.clock import utcnow
from portal.config import LOCALES
from portal.notices.password_mails import announce_password
from portal.notices.preferences import preferences_of
from portal.web.access import DEVICE_COOKIE, keep_cookie, safe_next, visitor

blueprint = Blueprint("auth", __name__)
LOGIN_COOKIE_KEY = "_user_id"  # of Flask-Login
WAITING = "waiting"  # in the session data: who has given the password and not yet the code
TIME_ZONES = tuple(sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")))


@blueprint.get("/login")
def login() -> ResponseReturnValue:
    """The sign-in form. Someone already signed in is redirected."""
    goal = safe_next(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(goal)
    has_ended = LOGIN_COOKIE_KEY in session  # it names a session that is over
    return render_template("auth/login.html", goal=goal, anybody=accounts.any_user_exists(), has_ended=has_ended)


@blueprint.post("/login")
def sign_in() -> ResponseReturnValue:
    """Sign in. A wrong address and a wrong password get the same message and take the same time."""
    email, goal = request.form.get("email", ""), safe_next(request.form.get("next"))
    try:
        found = accounts.sign_in(email, request.form.get("password", ""), visitor(), utcnow())
    except accounts.TooManyTries as error:
        return _login_again(email, goal, wait_words(error.seconds), 429, error.seconds)
    if found is None:
        return _login_again(email, goal, gettext("The email address or password is wrong."), 401)
    return go_on(found, goal)


def go_on(found: accounts.SignedIn, goal: str) -> Response:
    """After the right password: sign in, or ask for the code of the second step first."""
    if found.token is None:
        _wait_for_code(found.user, goal)
        return make_response(redirect(url_for("auth.code"), 303))
    return signed_in(found.user, found.token, goal)


def _wait_for_code(user: accounts.User, goal: str) -> None:
    """Remember in this browser whose password was right. The account's epoch ends it with a new password."""
    session.clear()
    session[WAITING] = [user.id, user.auth_epoch, int(utcnow().timestamp()), goal]


def _waiting() -> tuple[accounts.User, str] | None:
    """Who still has to give a code, and where to go then; None when that took too long."""
    user_id, epoch, since, goal = session.get(WAITING) or (0, 0, 0, "/")
    if utcnow().timestamp() - since > two_step.TO_FINISH.total_seconds():
        return None
    user = accounts.find_active(user_id, epoch)
    return (user, safe_next(goal)) if user and two_step.is_on(user) else None


@blueprint.get("/login/code")
def code() -> ResponseReturnValue:
    """The second step of signing in: the form for the code."""
    if _waiting() is None:
        return redirect(url_for("auth.login"))
    return render_template("auth/code.html")


@blueprint.post("/login/code")
def enter_code() -> ResponseReturnValue:
    """Sign in with a code of the app, or a recovery code."""
    waiting = _waiting()
    if waiting is None:
        flash(gettext("That took too long. Enter your password again."), "info")
        return redirect(url_for("auth.login"), 303)
    user, goal = waiting
    try:
        token = accounts.second_step(user, request.form.get("code", "")[:100], visitor(), utcnow())
    except accounts.TooManyTries as error:
        page = render_template("auth/code.html", problem=wait_words(error.seconds))
        return page, 429, {"Retry-After": str(error.seconds)}
    if token is None:
        return render_template("auth/code.html", problem=PROBLEMS[accounts.AccountProblem.CODE_WRONG]), 401
    return signed_in(user, token, goal)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign this browser out; pressing it twice does no harm."""
    if current_user.is_authenticated:
        accounts.sign_out(current_user, visitor())
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
    answer = signed_in(user, accounts.start_session(user, now, visitor()), "/")
    flash(gettext("Welcome. You are the administrator of this portal."), "ok")
    return answer


@blueprint.get("/account")
@login_required
def account() -> ResponseReturnValue:
    """The account page: language, time zone, password, two-step sign-in, where one is signed in, emails, webhook."""
    return account_page()


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
        found = accounts.change_password(current_user, current, new, visitor(), utcnow(), announce_password)
    except accounts.AccountError as error:
        return account_page(problem=error.problem), 422
    except accounts.TooManyTries as error:
        return account_page(wait=wait_words(error.seconds)), 429
    answer = signed_in(found.user, found.token or "", url_for("auth.account"))
    flash(gettext("Your password has been changed. You have been signed out on other devices."), "ok")
    return answer


@blueprint.post("/account/sessions/end")
@login_required
def end_sessions() -> ResponseReturnValue:
    """Sign out in one other browser, or in all others without the field `session`."""
    ended = accounts.end_other_sessions(current_user, request.form.get("session"))
    flash(
        ngettext("%(num)s other device has been signed out.", "%(num)s other devices have been signed out.", ended)
        if ended
        else gettext("You were already signed out there."),
        "ok" if ended else "info",
    )
    return redirect(url_for("auth.account", _anchor="sessions"), 303)


def signed_in(user: accounts.User, token: str, goal: str) -> Response:
    """Start a session in this browser and go on. The session it had before ends, and its old session data is dropped,
    in case an attacker planted it; the browser is remembered as one of this user's."""
    if current_user.is_authenticated:
        accounts.end_session(current_user.get_id())
    session.clear()
    user.session_token = token
    login_user(user)
    answer = make_response(redirect(goal, 303))
    keep_cookie(answer, DEVICE_COOKIE, accounts.remember_device(visitor(), user, utcnow()))
    return answer


def _login_again(email: str, goal: str, problem: str, status: int, wait: int | None = None) -> ResponseReturnValue:
    page = render_template("auth/login.html", goal=goal, anybody=True, email=email, problem=problem)
    return page, status, {"Retry-After": str(wait)} if wait else {}


def account_page(**more: Any) -> str:
    """The account page; `problem` and `wait` belong to the password, `two_step_problem` to two-step sign-in."""
    return render_template(
        "auth/account.html",
        zones=TIME_ZONES,
        portal_zone=current_app.config["DEFAULT_TIME_ZONE"],
        words=PROBLEMS,
        wishes=preferences_of(current_user.id),
        sessions=accounts.sessions_of(current_user, utcnow()),
        two_step_on=two_step.is_on(current_user),
        codes_left=two_step.unused_recovery_codes(current_user),
        **more,
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

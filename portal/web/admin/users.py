"""The pages of users: list, invite, deactivate, reactivate, role, limits, password link."""

from typing import Any

from flask import Response, abort, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal, gettext
from flask_login import current_user
from werkzeug.exceptions import NotFound

from portal import accounts
from portal.accounts import admin as account_admin
from portal.accounts.errors import PROBLEMS
from portal.accounts.password_links import VALID_FOR, Purpose
from portal.accounts.users import LONGEST_RETENTION_DAYS
from portal.clock import utcnow
from portal.jobs.quotas import COUNTED, files_started
from portal.notices import password_mails
from portal.web.access import admin_required, visitor, wants_fragment
from portal.web.account.auth import wait_words
from portal.web.admin.blueprint import blueprint
from portal.web.errors import answer_error
from portal.web.request_fields import reason


@blueprint.get("/admin/users", endpoint="users")
@admin_required
def index() -> str:
    """Show the users by e-mail address, or those whose address contains `q`."""
    return _list("admin/_users.html" if wants_fragment() else "admin/users.html")


@blueprint.post("/admin/users", endpoint="invite_user")
@admin_required
def invite() -> Response:
    """Create a user and e-mail the link with which they choose a password."""
    email, admin = request.form.get("email", ""), request.form.get("role") == "admin"
    if admin and (refusal := _own_password_problem()):
        page = _list("admin/users.html", email=email, role="admin", own_password_problem=refusal)
        return make_response(page, 422)
    try:
        user, link = password_mails.invite(email, admin, current_user.id, utcnow())
    except accounts.AccountError as error:
        page = _list("admin/users.html", email=email, role="admin" if admin else "user", problem=error.problem)
        return make_response(page, 422)
    return _password_link_sent(user.id, link, Purpose.INVITE)


@blueprint.get("/admin/users/<id:user_id>", endpoint="user")
@admin_required
def show(user_id: int) -> str:
    """Show one user: account status and possible actions."""
    return _page(user_id)


@blueprint.post("/admin/users/<id:user_id>/deactivate", endpoint="deactivate_user")
@admin_required
def deactivate(user_id: int) -> Response:
    """Deactivate the account, at once on every device."""
    if not reason():
        return _refused(user_id, gettext("Enter a reason. Other administrators will see it under Activity."))
    done = gettext("The account is deactivated and signed out on every device. Its files are kept.")
    return _answer(
        user_id,
        account_admin.deactivate(_found(user_id).id, current_user.id, reason(), utcnow()),
        done,
        gettext("The account was already deactivated, so nothing was changed."),
    )


@blueprint.post("/admin/users/<id:user_id>/reactivate", endpoint="reactivate_user")
@admin_required
def reactivate(user_id: int) -> Response:
    """Reactivate the account."""
    done = gettext("The account is active again, with the same password as before.")
    return _answer(
        user_id,
        account_admin.reactivate(_found(user_id).id, current_user.id, reason(), utcnow()),
        done,
        gettext("The account was already active, so nothing was changed."),
    )


@blueprint.post("/admin/users/<id:user_id>/role", endpoint="set_user_role")
@admin_required
def set_role(user_id: int) -> Response:
    """Give or remove the administrator role."""
    role = request.form.get("role")
    if role not in ("admin", "user"):
        abort(400)
    if not reason():
        return _refused(user_id, gettext("Enter a reason. Other administrators will see it under Activity."))
    if role == "admin" and (problem := _own_password_problem()):
        return _refused(user_id, problem)
    moved = account_admin.set_role(_found(user_id).id, role == "admin", current_user.id, reason(), utcnow())
    return _answer(
        user_id, moved, gettext("Saved."), gettext("This user already has that role, so nothing was changed.")
    )


@blueprint.post("/admin/users/<id:user_id>/two-step", endpoint="reset_user_two_step")
@admin_required
def reset_two_step(user_id: int) -> Response:
    """Switch two-step sign-in off for somebody who has lost the telephone and the recovery codes."""
    if not reason():
        return _refused(user_id, gettext("Enter a reason. Other administrators will see it under Activity."))
    return _answer(
        user_id,
        account_admin.reset_two_step(
            _found(user_id).id, current_user.id, reason(), utcnow(), password_mails.announce_two_step
        ),
        gettext("Two-step sign-in is off. The next sign-in asks only for the password."),
        gettext("Two-step sign-in was already off, so nothing was changed."),
    )


@blueprint.post("/admin/users/<id:user_id>/limits", endpoint="set_user_limits")
@admin_required
def set_limits(user_id: int) -> Response:
    """Set the user's own limits; an empty field means the portal's default."""
    try:
        rows = _whole("max_rows", 1, account_admin.MOST_ROWS)
        per_day = _whole("files_per_day", 1, account_admin.MOST_FILES)
        days = _whole("retention_days", 0, LONGEST_RETENTION_DAYS)
    except ValueError:
        problem = gettext(
            "Each limit is a whole number, or empty: up to %(rows)s rows, %(files)s files and %(days)s days. "
            "Nothing was changed.",
            rows=format_decimal(account_admin.MOST_ROWS), files=format_decimal(account_admin.MOST_FILES),
            days=format_decimal(LONGEST_RETENTION_DAYS),
        )  # fmt: skip
        return _refused(user_id, problem, typed=request.form)
    moved = account_admin.set_limits(_found(user_id).id, rows, per_day, days, current_user.id, reason(), utcnow())
    return _answer(
        user_id, moved, gettext("Saved."), gettext("This user already has these limits, so nothing was changed.")
    )


@blueprint.post("/admin/users/<id:user_id>/password-link", endpoint="send_user_password_link")
@admin_required
def send_password_link(user_id: int) -> Response:
    """E-mail the link with which the user chooses a password."""
    user = _found(user_id)
    if not user.is_active:
        return _answer(user_id, False, "", gettext("The account is deactivated, so no email was sent."))
    invited = account_admin.account_status(user) == account_admin.AccountStatus.INVITED
    link = password_mails.send_reset(user_id, current_user.id, utcnow())
    return _password_link_sent(user_id, link, Purpose.INVITE if invited else Purpose.RESET)


def _own_password_problem() -> str:
    """What is wrong about the acting administrator's own password; empty if it is right. It is asked for before
    somebody becomes an administrator, so that a stolen session cannot make itself at home."""
    try:
        accounts.check_password(current_user, request.form.get("password", ""), visitor(), utcnow())
    except accounts.AccountError as error:
        return str(PROBLEMS[error.problem])
    except accounts.TooManyTries as error:
        return wait_words(error.seconds)
    return ""


def _whole(name: str, least: int, most: int) -> int | None:
    """Return the number in a field; None if empty. Raises ValueError for anything else or out of range."""
    text = request.form.get(name, "").strip()
    if not text:
        return None
    if not (text.isdecimal() and len(text) < 8 and least <= int(text) <= most):
        raise ValueError(name)
    return int(text)


def _found(user_id: int) -> accounts.User:
    return account_admin.find_user(user_id) or abort(404)


def _back(user_id: int) -> Response:
    return make_response(redirect(url_for("admin.user", user_id=user_id), 303))


def _answer(user_id: int, moved: bool, done: str, already: str) -> Response:
    flash(done if moved else already, "ok" if moved else "info")
    return _back(user_id)


def _refused(user_id: int, problem: str, **more: Any) -> Response:
    return make_response(_page(user_id, problem=problem, **more), 422)


def _password_link_sent(user_id: int, link: str | None, purpose: Purpose) -> Response:
    """Answer after the e-mail. Without a mail server, show the link here once; it is not stored."""
    if link is None:
        flash(gettext("The email is on its way."), "ok")
        return _back(user_id)
    return make_response(_page(user_id, link=link, valid=VALID_FOR[purpose]))


def _list(template: str, **more: Any) -> str:
    q = request.args.get("q", "").strip()[:200]
    found = account_admin.list_users(q, request.args.get("page", default=1, type=int))
    files = files_started(user.id for user in found.users)
    return render_template(
        template, found=found, q=q, files=files, most=COUNTED, account_status=account_admin.account_status,
        words=PROBLEMS, mail=bool(current_app.config["MAIL_SERVER"]), **more,
    )  # fmt: skip


def _page(user_id: int, **more: Any) -> str:
    user = _found(user_id)
    return render_template(
        "admin/user.html", user=user, account_status=account_admin.account_status(user),
        files=files_started([user_id])[user_id], most=COUNTED, portal_rows=current_app.config["MAX_ROWS"],
        mail=bool(current_app.config["MAIL_SERVER"]), **more,
    )  # fmt: skip


@blueprint.errorhandler(accounts.AccountError)
def refused(error: accounts.AccountError) -> Response:
    """Show why an action was refused, such as deactivating one's own account."""
    return _refused((request.view_args or {})["user_id"], str(PROBLEMS[error.problem]))


@blueprint.errorhandler(account_admin.NotAnAdmin)
def no_admin(error: account_admin.NotAnAdmin) -> Response:
    """The role was removed while this page was open: from now on the page does not exist."""
    return answer_error(NotFound())

"""The pages on which a number is erased everywhere: the plan, the order with its progress, and the records."""

from flask import Response, abort, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.admin import phone_search
from portal.jobs.core.erasure_tables import Erasure, ErasureState
from portal.jobs.number_erasure import orders
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint
from portal.web.request_fields import reason, whole


@blueprint.get("/admin/erasures", endpoint="erasures")
@admin_required
def index() -> str:
    """Show the records, newest first, and the form for a number."""
    return _index()


@blueprint.post("/admin/erasures/search", endpoint="search_erasure")
@admin_required
def search() -> Response:
    """Take a number from the form, so that it is in no address, and show the plan."""
    key = phone_search.begin(current_user, request.form.get("q", ""), current_app.config["DEFAULT_COUNTRY"], utcnow())
    if key is None:
        problem = gettext(
            "This is not a telephone number. Enter all its digits, with the country code if it is abroad."
        )
        return make_response(_index(problem=problem), 422)
    return make_response(redirect(url_for("admin.plan_erasure", key=key), 303))


@blueprint.get("/admin/erasures/plan", endpoint="plan_erasure")
@admin_required
def plan() -> str | Response:
    """Show what would be erased."""
    return _plan(request.args.get("key", ""))


@blueprint.post("/admin/erasures", endpoint="begin_erasure")
@admin_required
def begin() -> str | Response:
    """Order to erase it. The same form sent again shows the same order."""
    key = request.form.get("key", "")
    if not reason():
        return make_response(
            _plan(key, gettext("Enter a reason, such as the request’s date. It is kept in the record.")), 422
        )
    try:
        order = orders.begin(current_user, key, reason(), utcnow())
    except orders.NumberInReason:
        problem = gettext(
            "The reason has the number in it. Leave it out: the reason is kept, and the number must not be."
        )
        return make_response(_plan(key, problem), 422)
    if order is None:
        return _expired()
    return make_response(redirect(url_for("admin.erasure", order_id=order.id), 303))


@blueprint.get("/admin/erasures/<id:order_id>", endpoint="erasure")
@admin_required
def show(order_id: int) -> str:
    """Show one order."""
    return render_template("admin/erasure.html", **_facts(_found(order_id)))


@blueprint.get("/admin/erasures/<id:order_id>/live", endpoint="erasure_live")
@admin_required
def live(order_id: int) -> str | Response:
    """Send the part of its page that changes, or 204 while it has not changed."""
    order = _found(order_id)
    if request.args.get("v") == orders.version(order):
        return make_response("", 204)
    return render_template("admin/_erasure_live.html", **_facts(order))


def _index(problem: str = "") -> str:
    rows, following = orders.recent(request.args.get("before", type=whole))
    return render_template("admin/erasures.html", orders=rows, next_before=following, problem=problem)


def _plan(key: str, problem: str = "") -> str | Response:
    found = orders.plan(current_user, key, utcnow())
    if found is None:
        return _expired()
    return render_template("admin/erasure_plan.html", plan=found, problem=problem, why=request.form.get("why", ""))


def _expired() -> Response:
    flash(
        gettext("The number is kept for half an hour only, and that is over. Nothing was erased. Enter it again."),
        "warn",
    )
    return make_response(redirect(url_for("admin.erasures"), 303))


def _found(order_id: int) -> Erasure:
    return orders.find(current_user, order_id) or abort(404)


def _facts(order: Erasure) -> dict[str, object]:
    looked = orders.looked_through(order)
    return {
        "order": order, "moving": order.state != ErasureState.DONE, "version": orders.version(order),
        "seen": looked[0] if looked else 0, "of": looked[1] if looked else 0,
    }  # fmt: skip

"""The administrators' page of money: what was spent in a month, by person and source, the caps, and each as a file."""

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user

from portal import sources
from portal.accounts import admin as account_admin
from portal.clock import utcnow
from portal.jobs.spending import balances, caps, figures
from portal.jobs.spending.caps import CapScope
from portal.jobs.spending.reservations import month_of
from portal.jobs.words.money import amount_typed
from portal.sources.words import source_title
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint
from portal.web.metrics import spending_tables
from portal.web.metrics.page import table_file


@blueprint.get("/admin/spending", endpoint="spending")
@admin_required
def show() -> str:
    """Show what was spent in a month, and the caps."""
    return _page()


@blueprint.post("/admin/spending/caps")
@admin_required
def set_cap() -> ResponseReturnValue:
    """Set a cap, or remove it when the amount is empty."""
    scope, _, whose = request.form.get("for", "").partition(":")
    currency = request.form.get("currency", "")
    known = {code for code, _ in _holders()}
    if request.form.get("for", "") not in known or currency not in _currencies():
        return _page(gettext("Choose for whom the limit is, and its currency.")), 422
    try:
        amount = amount_typed(request.form.get("amount", ""))
    except ValueError:
        return _page(wrong_amount=gettext("Write an amount, such as 25.00.")), 422
    caps.set_cap(CapScope(scope), whose, currency, amount, current_user.email, utcnow())
    flash(gettext("The limit is saved.") if amount is not None else gettext("The limit is removed."), "ok")
    return redirect(url_for("admin.spending", _anchor="caps"), 303)


@blueprint.get("/admin/spending.csv")
@admin_required
def spending_table() -> Response:
    """Send everything that was spent, by month, person and source, as a file."""
    return table_file(spending_tables.all_rows(figures.spent(), people=True))


def _page(problem: str = "", wrong_amount: str = "") -> str:
    now = utcnow()
    this = month_of(now)
    month = request.args.get("month", this)
    found = figures.spent(month=month)
    months = [this, *(one for one in figures.months() if one != this)]
    return render_template(
        "admin/spending.html",
        month=month,
        months=[(one, spending_tables.month_words(one)) for one in months],
        by_person=spending_tables.grouped(found, "person", gettext("Person"), spending_tables.person_words),
        by_source=spending_tables.grouped(found, "source", gettext("Source"), lambda one: one.source, source_title),
        caps=[(cap, _cap_name(cap)) for cap in caps.all_caps(this)],
        holders=_holders(),
        currencies=_currencies(),
        balances=balances.known(now),
        problem=problem,
        wrong_amount=wrong_amount,
        given=request.form,
    )


def _cap_name(cap: caps.Cap) -> str:
    return dict(_holders()).get(f"{cap.scope}:{cap.whose}", cap.whose)


def _holders() -> list[tuple[str, str]]:
    """For whom a cap can be set: the code in the form, and words."""
    people = [(f"{CapScope.PERSON}:{user_id}", email) for user_id, email in account_admin.everybody()]
    priced = [name for name in sources.names() if sources.facts_of(name).is_priced]
    return [
        (f"{CapScope.PORTAL}:", gettext("The whole portal")),
        (f"{CapScope.PERSON}:", gettext("Each person")),
        *((f"{CapScope.SOURCE}:{name}", gettext("Source: %(name)s", name=source_title(name))) for name in priced),
        *people,
    ]


def _currencies() -> list[str]:
    used = {facts.currency for name in sources.names() if (facts := sources.facts_of(name)).currency}
    return sorted({"EUR", *used})

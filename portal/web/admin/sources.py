"""The pages of sources: the health of each one, pause and resume, and a trial with one number.

No secret can appear on them: a recipe only names its secrets, and in the requests and answers shown they are blanked
out.
"""

from typing import Any

from flask import Response, abort, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal, gettext
from flask_login import current_user

from portal import sources
from portal.clock import utcnow
from portal.documents.words import typed_reason_words
from portal.jobs import source_pause
from portal.jobs.health import sources as source_health
from portal.jobs.spending import balances
from portal.jobs.trials import source_trial
from portal.jobs.trials.source_trial import TrialState
from portal.jobs.words.statuses import no_worker_words
from portal.phone import parse
from portal.sources import catalogue
from portal.sources.recipes.words import difference_words, mistake_words
from portal.sources.selftest import TestResult, run_tests
from portal.sources.words import field_label, sample_words, value_words
from portal.web.access import admin_required, wants_fragment
from portal.web.admin import secrets
from portal.web.admin.blueprint import blueprint
from portal.web.request_fields import reason

ANSWER_WORDS = {"field_label": field_label, "value_words": value_words, "sample_words": sample_words}


@blueprint.get("/admin/sources", endpoint="sources")
@admin_required
def index() -> str:
    """Show every source with its health, and the recipes that cannot be used."""
    fragment = wants_fragment()
    if not fragment:
        catalogue.refresh_now()  # another process of the web may just have offered one
    return render_template(
        "admin/_sources.html" if fragment else "admin/sources.html",
        secrets=[] if fragment else secrets.listed(),
        healths=source_health.all_healths(utcnow()),
        unusable=[one for one in catalogue.recipe_files() if not one.valid],
        pace_words=pace_words,
        mistake_words=mistake_words,
    )


@blueprint.get("/admin/sources/<name>", endpoint="source")
@admin_required
def show(name: str) -> str:
    """Show one source: its health, its recipe and the results of the recipe's tests."""
    return render_template("admin/source.html", **_page(name))


@blueprint.post("/admin/sources/<name>/pause", endpoint="pause_source")
@admin_required
def pause(name: str) -> Response:
    """Pause it: no request is sent until it is resumed."""
    _known(name)
    why = reason()
    if not why:
        flash(gettext("Enter a reason. Other administrators will see it here."), "bad")
    elif source_pause.pause_source(name, current_user.email, why, utcnow()):
        flash(gettext("The source is paused. Its files wait and lose nothing."), "ok")
    else:
        flash(gettext("The source was already paused."), "info")
    return _back(name)


@blueprint.post("/admin/sources/<name>/resume", endpoint="resume_source")
@admin_required
def resume(name: str) -> Response:
    """Resume it, also when its breaker stopped it and not an administrator."""
    _known(name)
    source_pause.resume_source(name, current_user.email, utcnow())
    flash(gettext("The source is in use again. The files waiting for it continue within a minute or two."), "ok")
    return _back(name)


@blueprint.post("/admin/sources/<name>/try")
@admin_required
def try_source(name: str) -> Response:
    """Let a worker look up one number; the next page shows the requests and the answers."""
    _known(name)
    text = request.form.get("number", "").strip()[:100]
    phone = parse(text, current_app.config["DEFAULT_COUNTRY"])
    if phone.e164 is None:
        return make_response(
            render_template(
                "admin/source.html",
                **_page(name, text, typed_reason_words(phone.reason, phone.offered or phone.numbers)),
            ),
            422,
        )
    try:
        token = source_trial.start(name, phone.e164, current_user.email, utcnow(), user_id=current_user.id)
    except source_trial.RedisAway:
        said = no_worker_words()
        return make_response(render_template("admin/source.html", **_page(name, text, said)), 503)
    return make_response(redirect(url_for("admin.source_trial", name=name, token=token, _anchor="try-head"), 303))


@blueprint.get("/admin/sources/<name>/try/<token>", endpoint="source_trial")
@admin_required
def trial(name: str, token: str) -> str:
    """Show a trial: the page polls until there is a result, which is kept for ten minutes."""
    state = source_trial.state_of(name, token, utcnow())
    if wants_fragment():
        _known(name)
        return render_template("admin/_source_trial.html", source=name, state=state, **ANSWER_WORDS)
    return render_template("admin/source.html", **_page(name, state.number, state=state))


def pace_words(rate: float) -> str:
    """Return a pace in the largest unit in which it is at least one."""
    if rate >= 1:
        return gettext("%(n)s a second", n=format_decimal(round(rate, 1)))
    if rate * 60 >= 1:
        return gettext("%(n)s a minute", n=format_decimal(round(rate * 60, 1)))
    return gettext("%(n)s an hour", n=format_decimal(round(rate * 3600, 1)))


def _known(name: str) -> None:
    if name not in sources.names():
        catalogue.refresh_now()  # another process of the web may just have offered it
    if name not in sources.names():
        abort(404)


def _page(name: str, number: str = "", problem: str = "", state: TrialState | None = None) -> dict[str, Any]:
    """Return the variables of a source's page. `proofs` is None when a saved answer cannot be read."""
    _known(name)
    found = next((one for one in catalogue.recipe_files() if one.usable and one.name == name), None)
    recipe = found.offered if found else None
    proofs: tuple[TestResult, ...] | None
    try:
        proofs = run_tests(recipe) if recipe else ()
    except OSError:
        proofs = None
    return {
        "health": source_health.health(name, utcnow()),
        "facts": sources.facts_of(name),
        "balance": next((one for one in balances.known(utcnow()) if one.source == name), None),
        "recipe": recipe,
        "file": found.path.name if found else "",
        "broken": found if found and not found.valid else None,
        "mistake_words": mistake_words,
        "proofs": proofs,
        "number": number,
        "problem": problem,
        "source": name,
        **ANSWER_WORDS,
        "state": state,
        "pace_words": pace_words,
        "difference_words": difference_words,
    }


def _back(name: str) -> Response:
    return make_response(redirect(url_for("admin.source", name=name), 303))

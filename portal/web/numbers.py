"""Numbers without a file: a list that is pasted goes the way of an upload, a single one is answered in place."""

from io import BytesIO
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user, login_required

from portal import sources
from portal.clock import utcnow
from portal.documents.typed import pasted_file
from portal.documents.upload import UploadRefused
from portal.documents.words import typed_reason_words
from portal.jobs import commands, one_number, queries, uploads
from portal.jobs.core import derived
from portal.jobs.models import ScrapingJob
from portal.jobs.quotas import uploads_spent
from portal.jobs.words.statuses import cannot_start_words, summary_words
from portal.sources.words import field_label, source_title, value_words
from portal.web.access import wants_fragment
from portal.web.documents import MB
from portal.web.home import home

blueprint = Blueprint("numbers", __name__)
SLOW_SECONDS = 8  # then the page says where the answer will be found
HIDDEN_FIELDS = ("e164", "national", "time_zone")  # diagnostics; the number itself is above


@blueprint.post("/documents/pasted")
@login_required
def paste() -> ResponseReturnValue:
    """Make a file of pasted numbers and redirect to its check page."""
    text = request.form.get("numbers", "")
    content = pasted_file(text)
    if content is None:
        return home(pasted=text, paste_problem=gettext("Paste your numbers first, one in each line."))
    if uploads_spent(current_user.id, utcnow()):
        return home(pasted=text, paste_problem=cannot_start_words("files_spent"))
    name = gettext("Pasted numbers")
    limit = current_app.config["MAX_UPLOAD_MB"] * MB
    try:
        document = uploads.store_upload(BytesIO(content), f"{name}.csv", current_user.id, _storage(), limit, utcnow())
    except UploadRefused:
        return home(pasted=text, paste_problem=gettext("We could not save your list. Try again in a minute."))
    return redirect(url_for("documents.show", document_id=document.id), 303)


@blueprint.post("/lookups")
@login_required
def look_up() -> ResponseReturnValue:
    """Look up one number, and show its answer below the form; without JavaScript on a page of its own."""
    text = request.form.get("number", "").strip()
    country = current_app.config["DEFAULT_COUNTRY"]
    source = request.form.get("source", "") or current_app.config["DEFAULT_SOURCE"]
    if source not in sources.names():
        return _refused(cannot_start_words("source_unknown"))
    try:
        job = one_number.look_up(text, source, country, current_user, _storage(), utcnow())
    except one_number.NoNumber as error:
        return _refused(
            typed_reason_words(error.reason, error.offered) if text else gettext("Type a telephone number.")
        )
    except commands.CannotStart as error:
        return _refused(cannot_start_words(error.code))
    except OSError:
        return _refused(gettext("We could not save the number. Try again in a minute."))
    if wants_fragment():
        return render_template("numbers/_lookup.html", **_lookup(job))
    return redirect(url_for("numbers.show", job_id=job.id), 303)


@blueprint.get("/lookups/<id:job_id>")
@login_required
def show(job_id: int) -> ResponseReturnValue:
    """The answer for one number, or that it is still being looked up."""
    job = queries.find_job(current_user, job_id) or abort(404)
    return render_template("numbers/_lookup.html" if wants_fragment() else "numbers/lookup.html", **_lookup(job))


def _lookup(job: ScrapingJob) -> dict[str, Any]:
    now, answer = utcnow(), one_number.answer_of(job)
    fields = (answer.answer or {}) if answer else {}
    return {
        "job": job,
        "answer": answer,
        "moving": answer is not None and derived.is_unfinished(job),
        "slow": (now - job.created_at).total_seconds() > SLOW_SECONDS,
        "summary": summary_words(job, now),
        "source": source_title(job.source),
        "facts": [
            (field_label(field, job.source), value_words(field, value))
            for field, value in fields.items() if value and field not in HIDDEN_FIELDS
        ],
    }  # fmt: skip


def _refused(sentence: str) -> ResponseReturnValue:
    """Say why nothing is looked up: in place, or on the home page."""
    if wants_fragment():
        return render_template("numbers/_problem.html", problem=sentence)  # a 422 would not be put into the page
    return home(number=request.form.get("number", ""), number_problem=sentence)


def _storage() -> Any:
    return current_app.extensions["storage"]

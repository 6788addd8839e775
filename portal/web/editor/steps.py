"""What the forms of a draft change: its request, its questions, its fields, its rules, its text."""

import re
from typing import Any

from flask import Response, current_app, flash, make_response, request
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.documents.words import typed_reason_words
from portal.jobs.trials import draft_samples
from portal.jobs.trials.draft_bill import NoPrice
from portal.jobs.trials.source_trial import RedisAway
from portal.jobs.words.statuses import no_worker_words
from portal.phone import parse
from portal.sources import catalogue, drafts
from portal.sources.editor import batch_guess, number_finder, rule_guess
from portal.sources.editor.answer_tree import TreeRow
from portal.sources.editor.document import RecipeDocument
from portal.sources.editor.drafted import SampleAnswer, mistakes_in, stops
from portal.sources.editor.field_guess import guess
from portal.sources.http.extract import MAX_LENGTH
from portal.sources.recipes.loader import FIELD
from portal.sources.recipes.model import RULE_NAMES
from portal.web.access import admin_required
from portal.web.editor.blueprint import blueprint
from portal.web.editor.pages import LONGEST_TEXT, keep, keep_secrets_of_form, render, save, to
from portal.web.editor.price import take_price
from portal.web.editor.shown import DraftPage, page_of

ASKED = ("exists", "unknown", "wrong")  # what a person enters numbers for
ANY_NUMBER = re.compile(r"\+?\d{3,19}")
TYPES = ("text", "bool", "number", "date")


@blueprint.post("/admin/editor/<token>/request")
@admin_required
def change_request(token: str) -> Response:
    """Keep the request as the form has it, the number's form, and keys that are new."""
    now = utcnow()
    page = page_of(token, now)
    keep_secrets_of_form(page, now)
    document, form = page.document, request.form.get("form", "")
    if "url" in request.form:
        _change_request(document)
    if form in number_finder.FORMS:
        for key in ("url", "body"):
            if text := document.value("request", key):
                document.set("request", key, number_finder.change_form(text, form))
        headers = document.value("request", "headers") or {}
        if headers:
            changed = {name: number_finder.change_form(text, form) for name, text in headers.items()}
            document.set("request", "headers", changed)
    if broken := keep(page, now):
        return make_response(render(page_of(token, now), "answers", problem=broken, typed=request.form), 422)
    return to(token, "answers")


def _change_request(document: RecipeDocument) -> None:
    headers = {}
    for line in request.form.get("headers", "").splitlines()[:50]:
        name, _, text = line.partition(":")
        if name.strip():
            headers[name.strip()] = text.strip()
    body = request.form.get("body", "").replace("\r\n", "\n")[:LONGEST_TEXT]
    had_body = bool(document.value("request", "body"))
    document.set("request", "url", request.form.get("url", "").strip())
    document.set("request", "headers", headers or None)
    document.set("request", "body", body if body.strip() else None)
    if bool(body.strip()) != had_body:
        document.set("request", "method", "POST" if body.strip() else None)


@blueprint.post("/admin/editor/<token>/samples")
@admin_required
def ask(token: str) -> Response:
    """Let a worker ask for the numbers of the form."""
    now = utcnow()
    page = page_of(token, now)
    keep_secrets_of_form(page, now)
    numbers, problem = _numbers_of_form()
    problem = problem or ("" if numbers else gettext("Enter at least one number."))
    if problem := problem or take_price(page.document, request.form) or keep(page, now):
        return make_response(render(page_of(token, now), "answers", problem=problem, typed=request.form), 422)
    page = page_of(token, now)
    if page.missing_secrets:
        said = gettext("Enter every key first: without them the source will not answer.")
        return make_response(render(page, "answers", problem=said, typed=request.form), 422)
    spoilt = numbers[0][0] if request.form.get("spoilt") else ""
    signs_in = numbers[0][0] if page.document.before and not (page.login and page.login.answer) else ""
    try:
        draft_samples.ask(
            token, numbers, current_user.email, now, spoilt=spoilt, signs_in=signs_in, user_id=current_user.id
        )
    except RedisAway:
        said = no_worker_words()
        return make_response(render(page, "answers", problem=said, typed=request.form), 503)
    except NoPrice:
        said = gettext("Say what a lookup costs first; 0 if it is free.")
        return make_response(render(page, "answers", problem=said, typed=request.form), 422)
    return to(token, "answers", "asked")


def _numbers_of_form() -> tuple[list[tuple[str, str]], str]:
    """The numbers of the form, each with what it is said to be, and what is wrong with one."""
    found: list[tuple[str, str]] = []
    for meaning in ASKED:
        for text in request.form.getlist(meaning)[:3]:
            text = text.strip()[:100]
            if not text:
                continue
            phone = parse(text, current_app.config["DEFAULT_COUNTRY"])
            compact = re.sub(r"[ ().\-/]", "", text)
            if phone.e164:
                found.append((phone.e164, meaning))
            elif meaning != "exists" and ANY_NUMBER.fullmatch(compact):  # a wrong one may be in no plan
                found.append((f"+{compact.lstrip('+')}", meaning))
            else:
                return found, f"{text}: {typed_reason_words(phone.reason, phone.offered or phone.numbers)}"
    return list(dict.fromkeys(found))[:5], ""


@blueprint.post("/admin/editor/<token>/samples/<id:sample_id>/delete")
@admin_required
def delete_sample(token: str, sample_id: int) -> Response:
    """Delete one answer."""
    page_of(token, utcnow())
    drafts.remove_sample(token, sample_id)
    return to(token, "answers", "asked")


@blueprint.post("/admin/editor/<token>/fields")
@admin_required
def fields(token: str) -> Response:
    """Add the field of one row of an answer, change what the form says of fields, or take one away."""
    now = utcnow()
    page = page_of(token, now)
    sample_id = request.args.get("sample", type=int)
    sample = next((one for one in page.answers if one.id == sample_id), None)
    if name := request.form.get("remove", ""):
        page.document.remove_field(name)
    elif "add" in request.form and sample is not None:
        rows = page.tree(sample).rows
        place = request.form.get("add", type=int)
        if place is not None and 0 <= place < len(rows) and rows[place].place:
            _add_field(page, sample, rows[place])
    else:
        _change_fields(page)
    save(page, now)
    return to(token, "answers", "chosen", sample=sample_id)


def _add_field(page: DraftPage, sample: SampleAnswer, row: TreeRow) -> None:
    document, place = page.document, dict(row.place)
    set_format(page)
    if document.value("kind") == "batch" and "path" in place:
        items, place["path"] = batch_guess.split_path(place["path"])
        if items and document.value("batch", "items") in (None, "@"):
            document.set("batch", "items", items)
        if not items and document.value("batch", "size") == 1 and isinstance(sample.response.content, dict):
            items = "[@]"
            if document.value("batch", "items") in (None, "@"):
                document.set("batch", "items", items)
        key = batch_guess.key_in(items or document.value("batch", "items"), sample.response.content, sample.number)
        if key and document.value("batch", "key") in (None, "@"):
            document.set("batch", "key", key)
    known = document.fields
    if any(isinstance(one, dict) and place.items() <= one.items() for one in known.values()):
        return
    found = guess(row.keys, [row.value] if row.value not in ("null", "{}", "[]") else [], known)
    values: dict[str, Any] = {**place, "label": dict(found.label)}
    if found.type != "text":
        values["type"] = found.type
    if not known:
        values["required"] = True
    document.set_field(found.name, values)


def set_format(page: DraftPage) -> None:
    """Say in the recipe how its answers are read, as they were found to be."""
    document, form = page.document, page.reading.format
    if document.value("answer", "format") or document.value("kind") == "html":
        return
    if form == "html" and document.value("kind") == "json":
        document.set("", "kind", "html")
    elif form != "json":
        document.set("answer", "format", form)


def _change_fields(page: DraftPage) -> None:
    for name, known in page.document.fields.items():
        if f"name:{name}" not in request.form:
            continue
        new_name = request.form.get(f"name:{name}", "").strip()
        renamed = FIELD.fullmatch(new_name) and (new_name == name or new_name not in page.document.fields)
        label = {
            language: text
            for language in ("en", "es")
            if (text := request.form.get(f"{language}:{name}", "").strip()[:80])
        }
        kind = request.form.get(f"type:{name}", "text")
        values: dict[str, Any] = {
            "label": label or None,
            "type": kind if kind in TYPES and kind != "text" else None,
            "required": True if request.form.get(f"required:{name}") else None,
        }
        known_type = known.get("type", "text") if isinstance(known, dict) else "text"
        if kind != known_type:
            values |= {"decimal": None, "format": None}
        page.document.set_field(name, values, new_name=new_name if renamed and new_name != name else "")
        if not renamed:
            flash(
                gettext("A name has only small letters, digits and _, and each field its own: %(name)s", name=new_name),
                "bad",
            )


@blueprint.post("/admin/editor/<token>/rules")
@admin_required
def rules(token: str) -> Response:
    """Note what the answers are, take over the proposed rules that are ticked, add one, or take one away."""
    now = utcnow()
    page = page_of(token, now)
    meanings = {
        one.id: said
        for one in page.answers
        if (said := request.form.get(f"meaning:{one.id}", "")) in rule_guess.WANTED and said != one.meaning
    }
    if meanings:
        drafts.mean(token, meanings)
    document = page.document
    if which := request.form.get("remove", ""):
        name, _, nth = which.partition(":")
        document.remove_rule(name, int(nth) if nth.isdigit() else -1)
    for text in request.form.getlist("accept"):
        for one in page.proposals[0]:
            if text == one.mark:
                set_format(page)
                document.add_rule(one.name, one.rule)
    if (missing := request.form.get("missing")) in ("not_found", "rejected") and document.value("kind") == "batch":
        document.set("batch", "missing", missing)
    if request.form.get("outcome", "") in RULE_NAMES and (rule := _rule_of_form()):
        set_format(page)
        document.add_rule(request.form["outcome"], rule)
    save(page, now)
    return to(token, "rules")


def _rule_of_form() -> dict[str, Any]:
    status = request.form.get("status", "").strip()
    found: dict[str, Any] = {"status": int(status)} if status.isdigit() else {}
    for key in ("json", "text"):
        if text := request.form.get(key, "").strip()[:MAX_LENGTH]:
            found[key] = text
    return found


@blueprint.post("/admin/editor/<token>/text")
@admin_required
def change_text(token: str) -> Response:
    """Keep the text, unless it has a mistake, or somebody has changed the draft meanwhile."""
    now = utcnow()
    page = page_of(token, now)
    text = request.form.get("text", "")[:LONGEST_TEXT].replace("\r\n", "\n")
    mistakes = mistakes_in(text, *catalogue.opened())
    if stops(mistakes):
        return make_response(render(page, "text", text=text, mistakes=mistakes), 422)
    if request.form.get("seen") != page.mark:
        said = gettext(
            "The draft has been changed meanwhile, in another tab or by another administrator. Your text is below:"
            " compare it with the draft before you save it."
        )
        return make_response(render(page, "text", text=text, mistakes=(), problem=said), 409)
    drafts.change(token, text, current_user.email, now, seen=page.draft.text)
    flash(gettext("The text was saved."), "ok")
    return to(token, "text")

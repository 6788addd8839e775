"""Gathers what the check page shows of a document for its templates. Read-only."""

from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import get_locale, gettext
from flask_login import current_user
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import ServiceUnavailable

from portal import sources
from portal.clock import utcnow
from portal.documents.check import CheckFacts
from portal.documents.models import Document, Reading
from portal.documents.preview import NothingToPreview, PickedColumns, Preview, StillCounting, preview_of, recalled
from portal.documents.reader.sheet_file import column_letter
from portal.documents.words import fix_words, problem_words, reason_words, size_words
from portal.jobs import uploads
from portal.jobs.core.merge_tables import Asks
from portal.jobs.export import answers_added, loss_words, preview_result
from portal.jobs.source_pause import is_in_trouble
from portal.jobs.spending.estimate import Estimate, estimate
from portal.jobs.words.statuses import cannot_start_words, list_words
from portal.phone import Reason
from portal.sources.several import names_of
from portal.sources.words import source_description, source_pace, source_title
from portal.web import further_sources
from portal.web.errors import BUSY_RETRY_SECONDS
from portal.web.merge.view import fields_of as merge_fields
from portal.web.merge.view import may_compare, view_of
from portal.web.returned_download import returned_download
from portal.web.start_options import FIRST_NUMBERS, earliest_start, known_days_in
from portal.web.text_reading import text_reading_of
from portal.web.words import guess_words
from portal.web.words.countries import country_name, country_options

SLOW_SECONDS = 15  # after this the page says that it takes longer than usual


def page_of(document: Document, fields: MultiDict[str, str], now: datetime) -> dict[str, Any]:
    """The variables of the templates. `look` is None while there is nothing to choose; `sentence` then says why, once
    known. `problems` are sentences about choices in `fields` that cannot be used; `version` changes with the page.

    Raises ServiceUnavailable while other choices of this person are being counted."""
    slow = document.state == Reading.READING and (now - document.created_at).total_seconds() > SLOW_SECONDS
    page: dict[str, Any] = {
        "document": document,
        "size": size_words(document.size_bytes),
        "mine": document.user_id == current_user.id,
        "slow": slow,
        "version": f"{document.state}-slow" if slow else str(document.state),
        "look": None,
        "sentence": problem_words(document.problem, document.problem_facts) if document.problem else "",
        "problems": [],
        "earlier": uploads.earlier_uploads(document),
    }
    if document.state == Reading.READY:
        kept = recalled(document, current_app.extensions["storage"], fields, document.user_id)
        if kept:
            known = {"source": kept.source} if kept.source in sources.names() and not fields.get("source") else {}
            fields = MultiDict({**fields.to_dict(flat=False), **kept.choice.fields(), **known})
        page["remembered"] = bool(kept)
        try:
            look = preview_of(
                document,
                current_app.extensions["storage"],
                fields,
                fields.getlist("column"),
                current_app.config["DEFAULT_COUNTRY"],
                current_user.id,
            )
        except StillCounting as error:
            raise ServiceUnavailable(retry_after=BUSY_RETRY_SECONDS) from error
        except NothingToPreview:
            page["sentence"] = gettext("The content of this file is no longer available. Upload it again.")
        else:
            page |= _chosen(document, look, fields, remembered=bool(kept))
            page["returned"] = returned_download(document) if page["mine"] else None
            page["source_in_trouble"] = is_in_trouble(page["source"], now)
            page |= {"first_numbers": FIRST_NUMBERS, "earliest_start": fields.get("start_at") or earliest_start(now)}
            page["text_reading"] = text_reading_of(document, {})
    return page


def _chosen(document: Document, look: Preview, fields: MultiDict[str, str], *, remembered: bool) -> dict[str, Any]:
    """What is added once there is something to choose: the source, the choice as fields, and the options."""
    picked = look.picked
    names = sources.names()
    wanted = fields.get("source", "").strip()
    default = current_app.config["DEFAULT_SOURCE"]
    source = wanted if wanted in names else default if default in names else names[0]
    codes = [*picked.problems, *([] if wanted in ("", source) else ["source_unknown"])]
    top, rest = country_options(
        str(get_locale()), [current_app.config["DEFAULT_COUNTRY"], *uploads.countries_used(document.user_id)]
    )
    known_days = known_days_in(fields)
    corrected = tuple(((one.row_no, one.column), one.corrected) for one in look.corrections)
    mine = document.user_id == current_user.id
    merge = view_of(document, look, corrected, source, fields.get("merge_asks", "")) if mine else None
    asked_days = known_days
    if merge and merge.is_ready and merge.asks == Asks.EVERYTHING:
        known_days = 0
    now, to_look_up = utcnow(), look.figures.to_look_up

    def estimated(name: str) -> Estimate:
        merged = merge.merged(name) if merge else None
        how = (look.path, picked.choice, corrected, to_look_up, known_days, now, merged)
        return estimate(name, document.user_id, *how)

    money = estimated(source)
    further = further_sources.read_further(fields, source, names)
    every_source = further_sources.all_named(source, further)
    costs = {name: money if name == source else estimated(name) for name in names_of(every_source)}
    together = further_sources.together_of(source, further, costs)
    return {
        **further_sources.page_of(further, together),
        "look": look,
        "source": source,
        "money": money,
        "merge": merge,
        "may_compare": mine and merge is None and may_compare(document),
        "corrected": corrected,
        "cost_cap": fields.get("cost_cap", "")[:20],
        "open_part": fields.get("open_part", ""),
        "result": preview_result(
            current_user.id,
            every_source,
            look.path,
            picked.header,
            picked.sheet.columns,
            picked.choice,
            {(one.row_no, one.column): one.corrected for one in look.corrections},
            merge.change_of if merge else None,
        ),
        "fields": {
            **picked.choice.fields(),
            "source": source,
            **({} if asked_days is None else {"known_days": f"{asked_days}"}),
            **merge_fields(merge),
            **further_sources.as_fields(further),
        },
        "country_column": _country_column(picked),
        "country_name": country_name(picked.choice.country, str(get_locale())),
        "columns_named": [name for place, name in look.columns if place in picked.choice.columns],
        "warnings": guess_words.warnings_of(look, str(get_locale()), sure=remembered),
        "country_hint": guess_words.country_hint(picked),
        "problems": [*map(cannot_start_words, codes), *further_sources.problems_of(source, further)],
        "countries_top": top,
        "countries_rest": rest,
        "sources": [(name, source_title(name)) for name in names],
        "source_description": source_description(source),
        "source_pace": source_pace(source),
        "source_gives": answers_added(current_user.id, every_source),
        "reason_words": reason_words,
        "fixes": _fixes_of(look.figures),
        "seconds": together.seconds,
        "loss": loss_words(document, current_app.extensions["storage"]),
        "excluded": _excluded(money),
        "jobs": uploads.jobs_of(document.id),
        "begun": uploads.jobs_started(document.id),
    }


def _excluded(money: Estimate) -> list[tuple[str, int]] | None:
    """The lists of excluded numbers that the file's numbers are on, in words, each with how many of them. None when
    they are too many to be counted while somebody waits."""
    if money.excluded is None:
        return None
    return [(list_words(one.name, one.dated.isoformat()), count) for one, count in money.excluded]


def _country_column(picked: PickedColumns) -> tuple[int, str] | None:
    """The column that names the country of each row, and its heading or letter; None when there is none."""
    place = picked.sheet.country_column if picked.choice.country_column is None else picked.choice.country_column
    if place is None:
        return None
    head = picked.header[place].strip() if place < len(picked.header) else ""
    return place, head[:60] or column_letter(place)


def _fixes_of(figures: CheckFacts) -> list[dict[str, Any]]:
    """The groups of the page, the largest first: each reason with its cells, and what accepting its offers does."""
    groups = []
    for code, cells in sorted(figures.reasons.items(), key=lambda pair: -pair[1]):
        reason, offers = Reason(code), figures.offers.get(code, 0)
        groups.append({
            "code": code, "cells": cells, "sentence": reason_words(code), "offers": offers,
            "fix": fix_words(reason, offers) if offers else "", "first": figures.offered_first.get(code, []),
            "rows": [row for row in figures.bad_rows if row[2] == code],
        })  # fmt: skip
    return groups

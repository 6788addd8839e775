"""Asks a source whose recipe is being written: a page requests it, a worker asks, and the page finds the answer in the
database. No page's request waits for a source, and the web process never calls out.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from portal import audit
from portal.causes import CauseCode
from portal.clock import utcnow
from portal.database import db
from portal.jobs.dispatch import push_sample
from portal.jobs.source_trial import LOST, SLOW, RedisAway
from portal.sources import catalogue, drafts
from portal.sources.drafts import DraftSample
from portal.sources.editor.drafted import recipe_to_ask
from portal.sources.recipes.toml_table import BadRecipe
from portal.sources.sampling import SampleResult, ask_once
from portal.sources.trial import TRY_SECONDS

log = structlog.get_logger(__name__)


def ask(token: str, numbers: Sequence[tuple[str, str]], actor: str, now: datetime, *, spoilt: str = "") -> int:
    """Hand numbers (E.164, each with what it is said to be) to a worker, and return how many. `spoilt`: a number that
    is asked about with wrong keys as well. Goes to the audit, without a number. Commits. Raises RedisAway."""
    audit.note(actor, "number_tried", "source", token, None, now)
    db.session.commit()
    asked = [drafts.add_sample(token, number, meaning, now) for number, meaning in numbers]
    if spoilt:
        asked.append(drafts.add_sample(token, spoilt, "key", now, spoilt=True))
    ids = [one for one in asked if one is not None]
    if not all(push_sample(one) for one in ids):
        raise RedisAway
    return len(ids)


def run(sample_id: int) -> None:
    """Ask one question in the worker, and keep the answer. Commits. For one that is not known it does nothing."""
    taken = drafts.take_sample(sample_id, utcnow())
    if taken is None:
        return
    sample, text = taken
    catalogue.ask_again()
    catalogue.refresh()
    try:
        recipe = recipe_to_ask(text, f"draft-{sample.draft.lower().replace('_', '-').strip('-')}"[:40].rstrip("-"))
        result = ask_once(recipe, sample.number, spoilt=sample.spoilt)
    except BadRecipe:
        result = SampleResult(reason=CauseCode.RECIPE_BROKEN)
    except Exception:  # the page that waits shows it
        log.exception("a sample failed")
        result = SampleResult(reason=CauseCode.SOURCE_ERROR)
    drafts.answer_sample(sample_id, result.facts, result.body)


def is_waiting(sample: DraftSample, now: datetime) -> bool:
    """Whether an answer may still come."""
    if sample.facts is not None:
        return False
    limit = timedelta(seconds=3 * TRY_SECONDS) if sample.taken_at else LOST
    return now - (sample.taken_at or sample.asked_at) < limit


def is_slow(sample: DraftSample, now: datetime) -> bool:
    """Whether no worker has taken it for longer than usual."""
    return sample.facts is None and sample.taken_at is None and now - sample.asked_at > SLOW


def forget(now: datetime) -> None:
    """Delete drafts that nobody has changed for long. Called by every sweep. Commits."""
    drafts.forget(now)

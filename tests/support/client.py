"""A client that starts jobs, as the pages do, in its own process, which may be killed at any line.

The plan of what it starts depends only on a job's place in it, so that a new client continues where a killed one
stopped: a file whose job is in the database is not started again.
"""

import os
import time
from pathlib import Path

from flask import current_app
from sqlalchemy import func, select

from portal import create_app
from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.jobs import commands
from portal.jobs.core.status import ENDED
from portal.jobs.models import ScrapingJob
from tests.support.cast import make_document, make_user, mobile
from tests.support.journal import NAME

EACH = 1000  # numbers reserved for each job, so that a number shows its job
POISON, KILL = "9..$", "8..$"  # the numbers that always fail, and those that kill the process that looks them up
REFUSED = 700  # the one number of a job that its source refuses
PATIENT_RETRIES = 30  # of a job without faults of its own: the storm alone must not use them all
OTHER_SOURCE = "picky"  # refuses one number of each job


def kind(place: int) -> str:
    """The kind of the job at this place of the plan: plain, refused (its source refuses one number), poison (some
    numbers always fail) or killer (one kills the process that looks it up)."""
    if place % 10 in (1, 6):
        return "refused"
    if place % 10 == 3:
        return "poison"
    return "killer" if place % 30 == 5 else "plain"


def cells(place: int) -> list[str]:
    """Its rows: 100 to 200 numbers, five of them twice, a blank one, and the special numbers of its kind."""
    numbers = [mobile(place * EACH + n) for n in range(100 + place * 37 % 101)]
    if kind(place) == "poison":
        for n in range(12):
            numbers.insert(n * 8, mobile(place * EACH + 900 + n))
    if kind(place) == "refused":
        numbers.insert(place * 7 % len(numbers), mobile(place * EACH + REFUSED))
    if kind(place) == "killer":
        numbers[40:] = [mobile(place * EACH + 800)]
    return [*numbers, *numbers[:5], ""]


def place_of(e164: str) -> int:
    """The place of the job that has this number."""
    return (int(e164[-8:]) - 12_000_000) // EACH


def file_name(place: int) -> str:
    return f"chaos-{place}.xlsx"


def _start(place: int) -> None:
    # Everybody gets the first notice at once, and the next ones in a digest: each job is another person's.
    email = f"person{place}@example.com"
    owner = db.session.scalar(select(User).where(User.email == email)) or make_user(email)
    current_app.config["SCRAPING_MAX_RETRIES"] = 3 if kind(place) == "poison" else PATIENT_RETRIES
    source = OTHER_SOURCE if kind(place) == "refused" else NAME
    document = make_document(current_app, owner, cells(place), file_name(place))  # type: ignore[arg-type]
    commands.start(document, SheetChoice(0, 1, (0,), "ES"), source, owner, utcnow())


def main() -> None:
    """Start CLIENT_JOBS jobs, CLIENT_AT_ONCE at a time, and more as long as the file CLIENT_MORE exists."""
    at_least, at_once = int(os.environ["CLIENT_JOBS"]), int(os.environ["CLIENT_AT_ONCE"])
    more = Path(os.environ["CLIENT_MORE"])
    with create_app().app_context():
        while True:
            # One that is hidden was left by a client that was killed before all its rows were there.
            shown = ScrapingJob.deleted_at.is_(None)
            names = set(db.session.scalars(select(ScrapingJob.file_name).where(shown)))
            moving = ScrapingJob.status.not_in(ENDED) | ScrapingJob.next_retry_at.is_not(None)
            under_way = db.session.scalar(select(func.count(ScrapingJob.id)).where(shown, moving)) or 0
            db.session.rollback()
            place = next(place for place in range(len(names) + 1) if file_name(place) not in names)
            if under_way < at_once and (place < at_least or more.exists()):
                _start(place)
            else:
                time.sleep(0.1)

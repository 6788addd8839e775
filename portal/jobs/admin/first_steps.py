"""The first steps of whoever sets the portal up, each found out from what is there: email, people, a source, a file.

Nothing is ticked by hand, so that a step which is undone later counts as undone again.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flask import current_app
from sqlalchemy import exists, func, select

from portal import sources
from portal.accounts import User
from portal.database import among, db
from portal.jobs.admin import portal_settings
from portal.jobs.models import ScrapingJob
from portal.notices.models import Channel, Delivery, Notice

BUILT_IN = "offline"  # the source that ships with the portal


class Step(StrEnum):
    """One of the first steps."""

    MAIL = "mail"
    PEOPLE = "people"
    SOURCE = "source"
    FILE = "file"


@dataclass(frozen=True)
class FirstSteps:
    """Which steps are done. `mail_set`: a mail server is set; `mail_sent_at`: when it last took an email; `mail_waits`:
    an email is on its way."""

    done: dict[Step, bool]
    mail_set: bool
    mail_sent_at: datetime | None
    mail_waits: bool

    @property
    def left(self) -> int:
        """How many are not done."""
        return sum(not done for done in self.done.values())


def first_steps() -> FirstSteps:
    """Find out which steps are done."""
    mails = Notice.channel == Channel.MAIL
    mail_set = bool(current_app.config["MAIL_SERVER"])
    # Without a server an email counts as sent once it is written to a file.
    sent_at = db.session.scalar(select(func.max(Notice.sent_at)).where(mails)) if mail_set else None
    waits = select(exists().where(mails, among(Notice.state, (Delivery.DUE, Delivery.SENDING))))
    others = select(User.id).where(User.id > 0).limit(2)
    done = {
        Step.MAIL: sent_at is not None,
        Step.PEOPLE: len(db.session.scalars(others).all()) > 1,
        Step.SOURCE: any(name != BUILT_IN for name in sources.names()),
        Step.FILE: bool(db.session.scalar(select(exists().where(ScrapingJob.total_numbers > 0)))),
    }
    return FirstSteps(done, mail_set, sent_at, mail_set and bool(db.session.scalar(waits)))


def open_steps() -> FirstSteps | None:
    """The same for a page that reminds of them; None once all are done or an administrator has hidden them."""
    if portal_settings.steps_hidden():
        return None
    steps = first_steps()
    return steps if steps.left else None

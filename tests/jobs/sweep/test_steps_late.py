"""A pass of the sweep whose first steps took long."""

from datetime import timedelta

from sqlalchemy import select

from portal.database import db
from portal.jobs.sweep import steps
from portal.notices.models import Notice
from tests.support import scenes
from tests.support.cast import NOW


def test_an_emails_lease_begins_when_it_is_sent(app, alice, make_job, monkeypatch) -> None:
    """Otherwise its two minutes would be over while it is being sent, and another sweep would send it too."""
    scenes.failed(make_job(alice), final=True)
    moments = iter([0.0, 300.0])
    monkeypatch.setattr(steps, "monotonic", lambda: next(moments))
    assert steps.sweep(NOW).notified == 1
    assert db.session.scalars(select(Notice.sent_at)).one() == NOW + timedelta(minutes=5)

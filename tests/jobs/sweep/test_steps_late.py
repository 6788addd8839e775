"""A pass of the sweep whose first steps took long."""

from datetime import timedelta

from sqlalchemy import select

from portal.database import db
from portal.jobs.sweep import steps
from portal.notices.models import Notice
from tests.support import scenes
from tests.support.cast import NOW


def test_a_mail_is_taken_from_when_it_is_sent_and_not_from_when_the_pass_began(
    app, alice, make_job, monkeypatch
) -> None:
    """Else its two minutes would be over while it is on its way, and another sweep would send it as well."""
    scenes.failed(make_job(alice), final=True)
    moments = iter([0.0, 300.0])
    monkeypatch.setattr(steps, "monotonic", lambda: next(moments))
    assert steps.sweep(NOW).notified == 1
    assert db.session.scalars(select(Notice.sent_at)).one() == NOW + timedelta(minutes=5)

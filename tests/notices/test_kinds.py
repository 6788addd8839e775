"""Kinds of notices: each has a rule, a title and a channel that sends it; an unknown kind is refused."""

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import StatementError

from portal.database import db
from portal.notices import words
from portal.notices.chat import words as chat
from portal.notices.delivery import send_due
from portal.notices.email import build
from portal.notices.kinds import RULES, DigestGroup, NoticeKind
from portal.notices.models import Delivery, Notice
from portal.notices.outbox import write
from portal.notices.preferences import DEFAULTS
from portal.notices.webhook import payload
from tests.support.cast import NOW


def test_every_kind_has_a_rule_a_title_and_a_channel() -> None:
    assert set(RULES) == set(words.KINDS) == set(NoticeKind)
    assert {*build.WRITERS, *chat.WRITERS, *payload.EVENTS, NoticeKind.WEBHOOK_TEST} == set(NoticeKind)


def test_every_preference_has_a_default_and_words() -> None:
    assert {rule.preference for rule in RULES.values()} - {None} == set(DEFAULTS) == set(words.PREFERENCES)


def test_every_digest_has_members_and_an_email() -> None:
    for group in DigestGroup:
        assert group.members and group.kind in build.WRITERS and group.kind not in group.members


def test_writing_an_unknown_kind_is_refused(alice) -> None:
    row = {"dedupe": "a", "kind": "unheard_of", "user_id": alice.id, "facts": {}, "created_at": NOW, "due_at": NOW}
    with pytest.raises(StatementError, match="unheard_of"):
        db.session.execute(insert(Notice).values(state=Delivery.DUE, tries=0, **row))


def test_a_kind_from_a_newer_version_waits_and_blocks_no_other(alice) -> None:
    for key in ("newer", "known"):
        write(key, NoticeKind.WEBHOOK_OFF, alice.id, None, {"host": "example.com"}, NOW)
    db.session.execute(text("UPDATE notices SET kind = 'unheard_of' WHERE dedupe = 'newer'"))
    db.session.commit()
    assert [notice.dedupe for notice in send_due(NOW)] == ["known"]
    waits = db.session.scalars(select(Notice).where(Notice.dedupe == "newer")).one()
    assert (waits.kind, waits.state, waits.tries) == ("unheard_of", Delivery.DUE, 1)

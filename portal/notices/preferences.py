"""What each person wants to be told: read, kept, and switched off one by one. Without a row, the model's defaults.

A finished file is told unless its owner says no: who uploads a long list goes away, and waits for just that. The daily
summary is for admins who ask for it.
"""

from datetime import datetime

from flask import current_app
from sqlalchemy import select, update

from portal.accounts import User
from portal.database import db, upsert
from portal.notices.kinds import NoticeKind, rule_of
from portal.notices.models import NoticeSettings

DEFAULTS = {"tell_failed": True, "tell_completed": True, "tell_sources": True, "daily_summary": False}
FOR_ADMINS = frozenset({"tell_sources", "daily_summary"})


def wishes_of(user_id: int) -> NoticeSettings:
    """The person's settings; when they have none yet, the defaults, in no session."""
    kept = db.session.get(NoticeSettings, user_id, populate_existing=True)
    return kept or NoticeSettings(user_id=user_id, **DEFAULTS)


def wants(user_id: int, kind: NoticeKind) -> bool:
    """Whether to write this person a mail of this kind. Somebody who was shut out is told nothing."""
    wish = rule_of(kind).preference
    active = db.session.scalar(select(User.is_active).where(User.id == user_id))
    return bool(active) and (wish is None or bool(getattr(wishes_of(user_id), wish)))


def webhook_is_on(user_id: int) -> bool:
    """Whether what happens to this person's files is sent to a program of theirs."""
    kept = wishes_of(user_id)
    return bool(kept.webhook_url) and kept.webhook_off_at is None


def reader_locale(user_id: int) -> str:
    """The language that letters to this person are in."""
    chosen = db.session.scalar(select(User.locale).where(User.id == user_id))
    return chosen or str(current_app.config["DEFAULT_LOCALE"])


def keep_wishes(user_id: int, now: datetime, **chosen: bool | str | datetime | None) -> None:
    """Keep some of the person's settings; the others stay as they are. Does not commit."""
    db.session.execute(upsert(NoticeSettings, ("user_id",)).values(user_id=user_id, updated_at=now, **DEFAULTS))
    kept = update(NoticeSettings).where(NoticeSettings.user_id == user_id)
    db.session.execute(kept.values(updated_at=now, **chosen))


def choose(user_id: int, now: datetime, **chosen: bool) -> None:
    """Keep what the person chose on a page, or by the link in an e-mail. It commits."""
    keep_wishes(user_id, now, **chosen)
    db.session.commit()

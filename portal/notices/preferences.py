"""Notification preferences: read, save and switch off. A person without a row has the defaults.

People are notified of a finished file unless they switch it off: someone who uploads a long list goes away and waits
for exactly that. The daily summary is for admins who ask for it.
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


def preferences_of(user_id: int) -> NoticeSettings:
    """The person's preferences; if they have none yet, the defaults, in no session."""
    kept = db.session.get(NoticeSettings, user_id, populate_existing=True)
    return kept or NoticeSettings(user_id=user_id, **DEFAULTS)


def wants(user_id: int, kind: NoticeKind, settings: NoticeSettings | None = None) -> bool:
    """Whether to e-mail this person notices of this kind. A deactivated person gets none. `settings` are the person's,
    if they are known."""
    preference = rule_of(kind).preference
    active = db.session.scalar(select(User.is_active).where(User.id == user_id))
    return bool(active) and (preference is None or bool(getattr(settings or preferences_of(user_id), preference)))


def webhook_is_on(user_id: int, settings: NoticeSettings | None = None) -> bool:
    """Whether this person has a working webhook. `settings` are the person's, if they are known."""
    kept = settings or preferences_of(user_id)
    return bool(kept.webhook_url) and kept.webhook_off_at is None


def recipient_locale(user_id: int) -> str:
    """The language of e-mails to this person."""
    chosen = db.session.scalar(select(User.locale).where(User.id == user_id))
    return chosen or str(current_app.config["DEFAULT_LOCALE"])


def save_preferences(user_id: int, now: datetime, **chosen: bool | str | datetime | None) -> None:
    """Save some of the person's preferences; the others stay as they are. Does not commit."""
    db.session.execute(upsert(NoticeSettings, ("user_id",)).values(user_id=user_id, updated_at=now, **DEFAULTS))
    kept = update(NoticeSettings).where(NoticeSettings.user_id == user_id)
    db.session.execute(kept.values(updated_at=now, **chosen))


def choose(user_id: int, now: datetime, **chosen: bool) -> None:
    """Save what the person chose on a page, or with the link in an e-mail. Commits."""
    save_preferences(user_id, now, **chosen)
    db.session.commit()

"""What administrators set on pages of the portal and not in `.env`: whom people should ask, and whether the list of
first steps is hidden. It must not hold a secret.
"""

from datetime import datetime

from sqlalchemy import String, Text, delete
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit
from portal.database import Model, UtcDateTime, db, upsert

CONTACT, STEPS_HIDDEN = "contact", "first_steps_hidden"
LONGEST_CONTACT = 500  # characters


class PortalSetting(Model):
    """One setting of the portal by its name."""

    __tablename__ = "portal_settings"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(String(255))


def contact() -> str:
    """Whom people should ask, as an administrator wrote it; empty for the administrators themselves."""
    return _value(CONTACT)


def set_contact(words: str, by: str, now: datetime) -> None:
    """Save whom people should ask; white space alone clears it. Goes to the audit. Commits."""
    words = "\n".join(" ".join(line.split()) for line in words.replace("\0", "").strip().splitlines())
    _set(CONTACT, words[:LONGEST_CONTACT], by, now)
    audit.note(by, "contact_set", "setting", None, None, now)
    db.session.commit()


def steps_hidden() -> bool:
    """Whether an administrator has hidden the list of first steps."""
    return bool(_value(STEPS_HIDDEN))


def hide_steps(hidden: bool, by: str, now: datetime) -> None:
    """Hide the list of first steps, or show it again. Commits."""
    _set(STEPS_HIDDEN, "1" if hidden else "", by, now)
    db.session.commit()


def _value(name: str) -> str:
    found = db.session.get(PortalSetting, name)
    return found.value if found else ""


def _set(name: str, value: str, by: str, now: datetime) -> None:
    if not value:
        db.session.execute(delete(PortalSetting).where(PortalSetting.name == name))
        return
    replaced = ("value", "set_at", "set_by")
    row = {"name": name, "value": value, "set_at": now, "set_by": by}
    db.session.execute(upsert(PortalSetting, ("name",), replace=replaced).values(row))

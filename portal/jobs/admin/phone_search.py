"""Searches by telephone number, for administrators. A number is personal data: it is stored in a table under a key,
and only the key is in the address, so that no bookmark, log or colleague's screen shows the number. A key works for its
administrator only, and for half an hour.
"""

import re
import secrets
import unicodedata
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from portal import audit
from portal.accounts import User
from portal.database import changed_rows, db
from portal.jobs.core.bulk_tables import PhoneSearch
from portal.phone import parse

VALID_FOR = timedelta(minutes=30)
LONGEST_ID = 8  # digits: up to so many alone are a job's id, unless the country has such numbers
SHORTEST = 7  # digits
# What people and address books write before a number. With any other letters, the text is a file's name.
_BEFORE = re.compile(
    r"^(?:tel[eé]fono|m[oó]vil|phone|mobile|tel|tfno?|tlfn?o?|m[oó]b)(?![^\W\d_])[\s.:]*", re.IGNORECASE
)
_BEHIND = re.compile(r"\s*(?:ext|x)[\s.:]*\d{1,5}$", re.IGNORECASE)
_DAY = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}")


def looks_like_a_phone(text: str, country: str) -> bool:
    """Return whether this text is meant as a telephone number, which must not get into an address."""
    text = _plain(text)
    digits = sum(letter.isdecimal() for letter in text)
    if digits < SHORTEST or any(letter.isalpha() for letter in text) or _DAY.fullmatch(text):
        return False
    return digits > LONGEST_ID or not text.isdecimal() or parse(text, country).e164 is not None


def _plain(text: str) -> str:
    """Return the text in plain digits, without invisible marks and without prefix and extension. Numbers are pasted
    from anywhere: with hard spaces, in full width, between direction marks."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")
    return _BEHIND.sub("", _BEFORE.sub("", seen.strip(), count=1)).strip()


def begin(admin: User, text: str, country: str, now: datetime) -> str | None:
    """Store the number and return its key; None when the text is not a telephone number. Goes to the audit, without the
    number. Commits."""
    e164 = parse(_plain(text), country).e164
    if e164 is None:
        return None
    key = secrets.token_urlsafe(16)
    audit.note(admin.email, "phone_searched", "search", None, None, now)
    db.session.add(PhoneSearch(key=key, user_id=admin.id, e164=e164, expires_at=now + VALID_FOR))
    db.session.commit()
    return key


def forget(now: datetime) -> None:
    """Delete expired numbers. Called by every sweep, because there may be no further search. Commits."""
    changed_rows(delete(PhoneSearch).where(PhoneSearch.expires_at < now))
    db.session.commit()


def phone_of(admin: User, key: str, now: datetime) -> str | None:
    """Return the number under this administrator's key, in E.164; None if it expired or belongs to somebody else."""
    own = (PhoneSearch.key == key, PhoneSearch.user_id == admin.id, PhoneSearch.expires_at >= now)
    return db.session.scalar(select(PhoneSearch.e164).where(*own))

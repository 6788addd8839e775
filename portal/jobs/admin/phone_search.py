"""An admin looks for a telephone number. It is a person's: it goes into the table under a key, and the key alone into
the address, so that neither a bookmark, a log nor a colleague's screen shows it. The key is good for its admin, and
for half an hour.
"""

import re
import secrets
import unicodedata
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from portal.accounts import User
from portal.database import changed_rows, db
from portal.jobs.core.bulk_tables import PhoneSearch
from portal.phone import parse

VALID_FOR = timedelta(minutes=30)
LONGEST_ID = 8  # digits: so many alone are a job's id, unless the country has such numbers
SHORTEST = 7  # digits
# What people and address books put before a number. A name of a file may have digits beside letters of any other kind.
_BEFORE = re.compile(
    r"^(?:tel[eé]fono|m[oó]vil|phone|mobile|tel|tfno?|tlfn?o?|m[oó]b)(?![^\W\d_])[\s.:]*", re.IGNORECASE
)
_BEHIND = re.compile(r"\s*(?:ext|x)[\s.:]*\d{1,5}$", re.IGNORECASE)
_DAY = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}")


def looks_like_a_phone(text: str, country: str) -> bool:
    """Whether somebody who typed this means a telephone number: it must not get into an address."""
    text = _plain(text)
    digits = sum(letter.isdecimal() for letter in text)
    if digits < SHORTEST or any(letter.isalpha() for letter in text) or _DAY.fullmatch(text):
        return False
    return digits > LONGEST_ID or not text.isdecimal() or parse(text, country).e164 is not None


def _plain(text: str) -> str:
    """The text in plain digits, without marks that nobody sees and what stands before and behind a number. Numbers are
    copied from anywhere: with hard spaces, in full width, between marks of direction."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")
    return _BEHIND.sub("", _BEFORE.sub("", seen.strip(), count=1)).strip()


def begin(admin: User, text: str, country: str, now: datetime) -> str | None:
    """Keep what is looked for, and give its key; None when the text is no telephone number. It commits."""
    e164 = parse(_plain(text), country).e164
    if e164 is None:
        return None
    key = secrets.token_urlsafe(16)
    db.session.add(PhoneSearch(key=key, user_id=admin.id, e164=e164, expires_at=now + VALID_FOR))
    db.session.commit()
    return key


def forget(now: datetime) -> None:
    """Remove the numbers whose time is over: with every pass of the sweep, as there may be no next search. Commits."""
    changed_rows(delete(PhoneSearch).where(PhoneSearch.expires_at < now))
    db.session.commit()


def phone_of(admin: User, key: str, now: datetime) -> str | None:
    """The number behind this admin's key, in E.164; None once it is over, or was never theirs."""
    own = (PhoneSearch.key == key, PhoneSearch.user_id == admin.id, PhoneSearch.expires_at >= now)
    return db.session.scalar(select(PhoneSearch.e164).where(*own))

"""An admin looks for a telephone number. It is a person's: it goes into the table under a key, and the key alone into
the address, so that neither a bookmark, a log nor a colleague's screen shows it. The key is good for its admin, and
for half an hour.
"""

import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from portal.accounts import User
from portal.database import changed_rows, db
from portal.documents.phone import parse
from portal.jobs.operation_records import PhoneSearch

GOOD_FOR = timedelta(minutes=30)
LONGEST_ID = 8  # digits: so many alone are a job's id, unless the country has such numbers
_WRITTEN = re.compile(r"[\d\s()./\-–+]+", re.ASCII)


def looks_like_a_phone(text: str, country: str) -> bool:
    """Whether somebody who typed this means a telephone number: it must not get into an address."""
    text = text.strip()
    digits = sum(letter.isdecimal() for letter in text)
    if digits < 7 or not _WRITTEN.fullmatch(text):
        return False
    return digits > LONGEST_ID or not text.isdecimal() or parse(text, country).e164 is not None


def begin(admin: User, text: str, country: str, now: datetime) -> str | None:
    """Keep what is looked for, and give its key; None when the text is no telephone number. It commits."""
    e164 = parse(text, country).e164
    if e164 is None:
        return None
    key = secrets.token_urlsafe(16)
    changed_rows(delete(PhoneSearch).where(PhoneSearch.expires_at < now))
    db.session.add(PhoneSearch(key=key, user_id=admin.id, e164=e164, expires_at=now + GOOD_FOR))
    db.session.commit()
    return key


def sought(admin: User, key: str, now: datetime) -> str | None:
    """The number behind this admin's key, in E.164; None once it is over, or was never theirs."""
    own = (PhoneSearch.key == key, PhoneSearch.user_id == admin.id, PhoneSearch.expires_at >= now)
    return db.session.scalar(select(PhoneSearch.e164).where(*own))

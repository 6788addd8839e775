"""The throttle on guessing passwords and codes: counts tries per e-mail address and per network, in the database, so
that it survives restarts and covers several web processes. The wait doubles up to 15 minutes and is never permanent.

A browser in which the user has signed in before (`visitors.device_in`) is counted by itself and under nothing else: a
stranger who knows an address, or shares the owner's network, cannot keep the owner out.

A try is counted before the password is checked, and taken back when it was right: counting afterwards would let many
simultaneous tries through.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from portal.accounts.errors import TooManyTries
from portal.accounts.models import LoginThrottle
from portal.accounts.visitors import networks
from portal.database import hash_of, writing

FREE_PER_EMAIL = 5
FREE_PER_NETWORK = 20  # an office shares one address
FREE_PER_WIDE_NETWORK = 10 * FREE_PER_NETWORK  # an IPv6 /48, which holds 65,536 of the usual /64
FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 15 * 60
KEPT_AFTER_BLOCK = timedelta(days=1)


def count_try(email: str, ip: str, now: datetime, device: str | None = None, what: str = "") -> None:
    """Count one try; `what` has counters of its own. Raises TooManyTries when there were too many before it."""
    with writing() as session:
        count_under(session, _keys(email, ip, what, device), now)


def count_reset_request(session: Session, email: str, ip: str, now: datetime) -> None:
    """Count one request for a password-reset e-mail, in the caller's transaction. It has its own counters, so that
    somebody who failed to sign in too often can still ask for a new password."""
    count_under(session, _keys(email, ip, "asking-"), now)


def count_under(session: Session, keys: dict[str, int], now: datetime) -> None:
    """Count one try under each key; `keys` maps it to the number of free tries. Raises TooManyTries."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.blocked_until < now - KEPT_AFTER_BLOCK))
    for key in keys:
        # both databases understand this, and neither fails when two do it at once
        insert = text("INSERT INTO login_throttles (key, failures) VALUES (:key, 0) ON CONFLICT DO NOTHING")
        session.execute(insert, {"key": key})
    rows = _rows(session, keys)
    waits = [(row.blocked_until - now).total_seconds() for row in rows.values() if row.blocked_until]
    if waits and max(waits) > 0:
        raise TooManyTries(math.ceil(max(waits)))
    for key, free in keys.items():
        rows[key].failures += 1
        rows[key].blocked_until = now + timedelta(seconds=wait_seconds(rows[key].failures, free))


def take_back_try(email: str, ip: str, now: datetime, device: str | None = None, what: str = "") -> None:
    """Take a successful try back: the e-mail address or the browser starts again from zero, its networks have one
    failure less each."""
    with writing() as session:
        own, *shared = _keys(email, ip, what, device)
        rows = _rows(session, [own, *shared])
        if own in rows:
            session.delete(rows[own])
        for key in shared:
            if key in rows:
                rows[key].failures -= 1
                rows[key].blocked_until = now


def reset_email_tries(session: Session, email: str) -> None:
    """Reset the counter after a new password, so that guesses at the old one cause no wait. Does not commit."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.key == hash_of(f"email:{email}")))


def wait_seconds(failures: int, free: int) -> int:
    """Return the wait after this many failures: 0 while they are free, then 30 s, doubling up to 15 min."""
    if failures < free:
        return 0
    return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(failures - free, 20))


def _keys(email: str, ip: str, what: str = "", device: str | None = None) -> dict[str, int]:
    """Return the counters' keys and their free failures, the user's own first. Keys are hashed to keep addresses out of
    the table."""
    if device is not None:
        return {hash_of(f"{what}device:{device}"): FREE_PER_EMAIL}
    free = dict(zip(networks(ip), (FREE_PER_NETWORK, FREE_PER_WIDE_NETWORK), strict=False))
    keys = {hash_of(f"{what}network:{network}"): count for network, count in free.items()}
    return {hash_of(f"{what}email:{email}"): FREE_PER_EMAIL, **keys}


def _rows(session: Session, keys: Iterable[str]) -> dict[str, LoginThrottle]:
    # always in the same order, or two tries could each wait for the other's row
    found = select(LoginThrottle).where(LoginThrottle.key.in_(list(keys))).order_by(LoginThrottle.key)
    return {row.key: row for row in session.scalars(found.with_for_update())}

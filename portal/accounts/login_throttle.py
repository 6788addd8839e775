"""The throttle on guessing passwords: counts tries per e-mail address and per network, in the database, so that it
survives restarts and covers several web processes. The wait doubles up to 15 minutes and is never permanent.

A try is counted before the password is checked, and taken back when it was right: counting afterwards would let many
simultaneous tries through.
"""

import ipaddress
import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from portal.accounts.errors import TooManyTries
from portal.accounts.models import LoginThrottle
from portal.database import hash_of, writing

FREE_PER_EMAIL = 5
FREE_PER_NETWORK = 20  # an office shares one address
FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 15 * 60
KEPT_AFTER_BLOCK = timedelta(days=1)


def count_try(email: str, ip: str, now: datetime) -> None:
    """Count one try. Raises TooManyTries when there were too many before it."""
    with writing() as session:
        count_under(session, _keys(email, ip), now)


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


def take_back_try(email: str, ip: str, now: datetime) -> None:
    """Take a successful try back: the e-mail address starts again from zero, the network has one failure less."""
    with writing() as session:
        by_email, by_network = _keys(email, ip)
        rows = _rows(session, _keys(email, ip))
        if by_email in rows:
            session.delete(rows[by_email])
        if by_network in rows:
            rows[by_network].failures -= 1
            rows[by_network].blocked_until = now


def reset_email_tries(session: Session, email: str) -> None:
    """Reset the counter after a new password, so that guesses at the old one cause no wait. Does not commit."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.key == hash_of(f"email:{email}")))


def wait_seconds(failures: int, free: int) -> int:
    """Return the wait after this many failures: 0 while they are free, then 30 s, doubling up to 15 min."""
    if failures < free:
        return 0
    return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(failures - free, 20))


def _keys(email: str, ip: str, what: str = "") -> dict[str, int]:
    """Return the two counters' keys and their free failures. Keys are hashed to keep addresses out of the table."""
    by_email, by_network = hash_of(f"{what}email:{email}"), hash_of(f"{what}network:{_network(ip)}")
    return {by_email: FREE_PER_EMAIL, by_network: FREE_PER_NETWORK}


def _rows(session: Session, keys: Iterable[str]) -> dict[str, LoginThrottle]:
    # always in the same order, or two tries could each wait for the other's row
    found = select(LoginThrottle).where(LoginThrottle.key.in_(list(keys))).order_by(LoginThrottle.key)
    return {row.key: row for row in session.scalars(found.with_for_update())}


def _network(ip: str) -> str:
    """Return the IPv4 address, or the /64 that one IPv6 customer usually has alone."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if address.version == 4:
        return ip
    return str(ipaddress.ip_network((address, 64), strict=False))

"""The brake on guessing passwords: counted per e-mail and per network, in the database, so that it holds over
restarts and over several web processes. The wait doubles up to 15 minutes and is never for good.

A try is counted before the password is looked at, and taken back when it was right: counting afterwards would let
many tries at once all slip through.
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
    """Count one try, or raise TooManyTries when the last ones were too many."""
    with writing() as session:
        count_under(session, _keys(email, ip), now)


def count_reset_request(session: Session, email: str, ip: str, now: datetime) -> None:
    """The same for asking for a letter, in the caller's transaction. It has counters of its own: who has guessed at
    a password too often may still ask for a new one."""
    count_under(session, _keys(email, ip, "asking-"), now)


def count_under(session: Session, keys: dict[str, int], now: datetime) -> None:
    """Count one try under each key, which has so many free, or raise TooManyTries."""
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
    """The try was right: the e-mail starts afresh, the network has one failure less."""
    with writing() as session:
        by_email, by_network = _keys(email, ip)
        rows = _rows(session, _keys(email, ip))
        if by_email in rows:
            session.delete(rows[by_email])
        if by_network in rows:
            rows[by_network].failures -= 1
            rows[by_network].blocked_until = now


def reset_email_tries(session: Session, email: str) -> None:
    """Who has a new password does not wait for guesses at the old one. Does not commit."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.key == hash_of(f"email:{email}")))


def wait_seconds(failures: int, free: int) -> int:
    """How long to wait after so many failures: nothing while they are free, then 30 s, doubling, 15 min at most."""
    if failures < free:
        return 0
    return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(failures - free, 20))


def _keys(email: str, ip: str, what: str = "") -> dict[str, int]:
    """The two counters of a try, hashed so that no address lies in the table, with how many failures are free."""
    by_email, by_network = hash_of(f"{what}email:{email}"), hash_of(f"{what}network:{_network(ip)}")
    return {by_email: FREE_PER_EMAIL, by_network: FREE_PER_NETWORK}


def _rows(session: Session, keys: Iterable[str]) -> dict[str, LoginThrottle]:
    # in one order for everybody, or two tries could each wait for the other's row
    found = select(LoginThrottle).where(LoginThrottle.key.in_(list(keys))).order_by(LoginThrottle.key)
    return {row.key: row for row in session.scalars(found.with_for_update())}


def _network(ip: str) -> str:
    """The address, or the /64 that one IPv6 customer usually has to himself."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if address.version == 4:
        return ip
    return str(ipaddress.ip_network((address, 64), strict=False))

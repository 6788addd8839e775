"""Numbers that are never sent to a source: lists that administrators add, such as the Lista Robinson.

A list keeps no number, only a digest of each under a key of its own, which is encrypted under the portal's: whoever
reads the database cannot try all numbers. A list may also be what another source has answered, such as the Lista
Robinson's API: then the kept answers of that source are the list. It must not know any job.
"""

import hmac
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from flask import current_app
from sqlalchemy import Date, ForeignKey, Index, String, Text, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import audit
from portal.causes import CauseCode
from portal.database import READ_ONLY, Model, UtcDateTime, changed_rows, db, insert_rows
from portal.sources.base import Answer, Outcome
from portal.sources.cipher import Cipher
from portal.sources.models import CachedAnswer

PURPOSE = b"masterfilter: numbers that are excluded"
LONGEST_NAME = 80
MOST_NUMBERS = 500_000  # of a list
YES = "yes"  # a field that says so, in a source's answer
_CHUNK = 500  # numbers in one query
_BYTES = 16  # of a digest


class ExclusionList(Model):
    """A list of numbers that are not looked up."""

    __tablename__ = "exclusion_lists"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME), unique=True)
    dated: Mapped[date] = mapped_column(Date)  # of which day the list is
    key: Mapped[str] = mapped_column(Text)  # of its digests, encrypted
    numbers: Mapped[int] = mapped_column(default=0)
    source: Mapped[str | None] = mapped_column(String(40))  # whose kept answers are the list; empty: it has its own
    field: Mapped[str | None] = mapped_column(String(60))  # that says yes for a number of the list
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    added_by: Mapped[str] = mapped_column(String(255))  # the administrator's e-mail address


class ExcludedNumber(Model):
    """A number of a list, as a digest."""

    __tablename__ = "excluded_numbers"

    list_id: Mapped[int] = mapped_column(ForeignKey("exclusion_lists.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(2 * _BYTES), primary_key=True)

    __table_args__ = (Index("ix_excluded_numbers_digest", "digest"),)


@dataclass(frozen=True)
class Excluded:
    """Which list a number is on, and of which day that list is."""

    name: str
    dated: date

    def fields(self) -> dict[str, str]:
        """The same as an answer keeps it."""
        return {"list": self.name, "dated": self.dated.isoformat()}


class ListUnreadable(RuntimeError):
    """A list was added under a SECRET_KEY that this machine does not have: nobody can tell who is on it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the list “{name}” was added under another SECRET_KEY; remove it and add it again")


class NameTaken(Exception):
    """There is a list of that name."""


@dataclass(frozen=True)
class _Open:
    """A list that can be matched."""

    id: int
    excluded: Excluded
    key: bytes
    source: str | None
    field: str | None


def lists() -> Sequence[ExclusionList]:
    """Return all lists, by name."""
    return db.session.scalars(select(ExclusionList).order_by(ExclusionList.name)).all()


def add(
    name: str, dated: date, e164s: Collection[str], actor: str, now: datetime, *, source: str = "", field: str = ""
) -> ExclusionList:
    """Add a list with these numbers, or, with `source` and `field`, of a source's kept answers. Goes to the audit.
    Commits. Raises NameTaken."""
    db.session.commit()  # what was asked before may have been a transaction that only reads
    key = secrets.token_hex(32)
    token = _cipher().encrypt(name, key)
    found = ExclusionList(
        name=name, dated=dated, key=token, numbers=len(e164s), source=source or None, field=field or None,
        added_at=now, added_by=actor,
    )  # fmt: skip
    db.session.add(found)
    try:
        db.session.flush()
    except IntegrityError as error:
        db.session.rollback()
        raise NameTaken from error
    digests = sorted({_digest(bytes.fromhex(key), e164) for e164 in e164s})
    insert_rows(ExcludedNumber, ("list_id", "digest"), [(found.id, digest) for digest in digests])
    audit.note(actor, "list_added", "list", name, None, now, numbers=len(digests))
    db.session.commit()
    return found


def remove(list_id: int, actor: str, now: datetime) -> bool:
    """Delete a list, and return whether it was there. Its numbers are looked up again from then on. Commits."""
    found = db.session.get(ExclusionList, list_id)
    if found is None:
        return False
    changed_rows(delete(ExcludedNumber).where(ExcludedNumber.list_id == list_id))
    audit.note(actor, "list_removed", "list", found.name, None, now)
    db.session.delete(found)
    db.session.commit()
    return True


class Matcher:
    """Judges numbers. Made where the application is known, it may be used in any thread."""

    def __init__(self) -> None:
        self._engine = db.engine.execution_options(**READ_ONLY)
        self._cipher = _cipher()
        self.newest_seen = 0  # the id of the list that had been added last when the lists were read last

    def newest(self) -> int:
        """Return the id of the list that was added last; 0 without any."""
        with Session(self._engine) as session:
            return session.scalar(select(func.max(ExclusionList.id))) or 0

    def excluded_among(self, e164s: Iterable[str], source: str) -> dict[str, Excluded]:
        """Return those of the numbers that must not be sent to a source, each with the first list that it is on. The
        list of a source's own answers does not keep it from being asked."""
        found: dict[str, Excluded] = {}
        with Session(self._engine) as session:
            known = _open(session, self._cipher)
            self.newest_seen = max((one.id for one in known), default=0)
            open_lists = [one for one in known if one.source != source]
            rest = iter(e164s if open_lists else ())
            while some := list(islice(rest, _CHUNK)):
                for one in open_lists:
                    for e164 in _on_list(session, one, some):
                        found.setdefault(e164, one.excluded)
        return found

    def answers_for(self, e164s: Iterable[str], source: str, now: datetime) -> dict[str, Answer]:
        """Return the answers of those that must not be sent to a source: none of them was asked about."""
        return {
            e164: Answer(Outcome.REJECTED, found.fields(), CauseCode.EXCLUDED, asked_at=now)
            for e164, found in self.excluded_among(e164s, source).items()
        }


def encrypt_again(keys: Sequence[str]) -> None:
    """Encrypt the keys of all lists under the present SECRET_KEY, so that an earlier one can be dropped. Commits."""
    cipher = Cipher(keys, PURPOSE)
    for one in db.session.scalars(select(ExclusionList).with_for_update()):
        if (key := cipher.decrypt(one.name, one.key)) is not None:
            one.key = cipher.encrypt(one.name, key)
    db.session.commit()


def excluded_among(e164s: Iterable[str], source: str) -> dict[str, Excluded]:
    """The same as `Matcher` has, once."""
    return Matcher().excluded_among(e164s, source)


def newest() -> int:
    """The same as `Matcher` has, once."""
    return Matcher().newest()


def _on_list(session: Session, one: _Open, e164s: Sequence[str]) -> list[str]:
    if one.source is not None:
        kept = (CachedAnswer.source == one.source, CachedAnswer.outcome == Outcome.FOUND)
        rows = session.execute(
            select(CachedAnswer.e164, CachedAnswer.fields).where(*kept, CachedAnswer.e164.in_(e164s))
        )
        return [row.e164 for row in rows if (row.fields or {}).get(one.field or "") == YES]
    by_digest = {_digest(one.key, e164): e164 for e164 in e164s}
    there = (ExcludedNumber.list_id == one.id, ExcludedNumber.digest.in_(by_digest))
    return [by_digest[digest] for digest in session.scalars(select(ExcludedNumber.digest).where(*there))]


def _open(session: Session, cipher: Cipher) -> list[_Open]:
    """The lists with their keys. Raises ListUnreadable: to skip a list in silence would send its numbers."""
    found = []
    for one in session.scalars(select(ExclusionList).order_by(ExclusionList.name)):
        key = cipher.decrypt(one.name, one.key)
        if key is None:
            raise ListUnreadable(one.name)
        excluded = Excluded(one.name, one.dated)
        found.append(_Open(one.id, excluded, bytes.fromhex(key), one.source, one.field))
    return found


def _cipher() -> Cipher:
    return Cipher(current_app.config["SIGNING_KEYS"], PURPOSE)


def _digest(key: bytes, e164: str) -> str:
    return hmac.digest(key, e164.encode(), "sha256")[:_BYTES].hex()

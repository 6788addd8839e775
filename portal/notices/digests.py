"""Digests: send the first notice at once, hold the rest for 15 minutes, then send them as one.

Everything happens in one transaction behind one row per person and group, so a second sender sees the first one's
window, and a process that dies leaves either all of it done or none.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from portal.database import changed_rows, db, upsert
from portal.notices.kinds import DigestGroup, rule_of
from portal.notices.models import Channel, Delivery, DigestWindow, Notice
from portal.notices.outbox import DueNotice, take

HOLD = timedelta(minutes=15)
MOST = 1000  # notices in one digest; the rest go into the next
LISTED = 50  # how many files a digest lists
# Facts of a single file that a digest leaves out.
SINGLE_FILE_FACTS = ("rows", "invalid_rows", "causes", "first_at", "last_at", "kept_until")


def may_be_held(seen: DueNotice) -> bool:
    """Whether this notice may be held for a digest: only at its first try, and never a webhook."""
    return (
        seen.tries == 0
        and seen.state == Delivery.DUE
        and seen.channel != Channel.WEBHOOK
        and rule_of(seen.kind).digest is not None
    )


def take_or_hold(seen: DueNotice, now: datetime) -> int | None:
    """Take the notice, or one digest of all that are due with it; None if it is held, or another sender was faster.
    Commits."""
    group = rule_of(seen.kind).digest
    if group is None:
        raise ValueError(f"{seen.kind} has no digest")
    key = f"{seen.channel}.{seen.user_id or 0}.{group}"
    waiting = (
        Notice.channel == seen.channel, Notice.user_id == seen.user_id, Notice.kind.in_(group.members),
        Notice.state == Delivery.DUE, Notice.tries == 0,
    )  # fmt: skip
    if not _open(key, now):
        until = db.session.scalars(select(DigestWindow.until).where(DigestWindow.key == key)).one()
        early = select(Notice.id).where(*waiting, Notice.due_at < until).with_for_update(skip_locked=True)
        changed_rows(update(Notice).where(Notice.id.in_(early)).values(due_at=until))
        db.session.commit()
        return None
    due = select(Notice).where(*waiting, Notice.due_at <= now).order_by(Notice.id).limit(MOST)
    due = due.with_for_update(skip_locked=True)  # what another sender is taking right now goes alone
    together = list(db.session.scalars(due, execution_options={"populate_existing": True}))
    if not together:
        db.session.rollback()  # another sender has them; the window stays as it was
        return None
    taken = together[0].id if len(together) == 1 else _fold(key, group, together, now)
    take(taken, 0, now)
    db.session.commit()
    return taken


def _open(key: str, now: datetime) -> bool:
    """Open a new window. False: one is already open. On PostgreSQL, a second sender waits here for the first to
    commit."""
    db.session.execute(upsert(DigestWindow, ("key",)).values(key=key, until=now))
    over = (DigestWindow.key == key, DigestWindow.until <= now)
    return changed_rows(update(DigestWindow).where(*over).values(until=now + HOLD)) == 1


def _fold(key: str, group: DigestGroup, together: Sequence[Notice], now: datetime) -> int:
    first = together[0]
    digest = Notice(
        dedupe=f"digest.{key}.{first.id}", kind=group.kind, channel=first.channel, user_id=first.user_id,
        facts=_facts(together), tries=0, created_at=now, due_at=now,
    )  # fmt: skip
    db.session.add(digest)
    db.session.flush()
    changed_rows(
        update(Notice)
        .where(Notice.id.in_([notice.id for notice in together]))
        .values(state=Delivery.FOLDED, digest_id=digest.id)
    )
    return digest.id


def _facts(together: Sequence[Notice]) -> dict[str, Any]:
    """The facts of a digest: totals, each cause with how many files it stopped, and the files."""
    files = [
        {name: fact for name, fact in notice.facts.items() if name not in SINGLE_FILE_FACTS}
        | {"kind": notice.kind, "job_id": notice.job_id}
        for notice in together
    ]
    return {
        "count": len(files),
        "ready": sum(file.get("ready", 0) for file in files),
        "total": sum(file.get("total", 0) for file in files),
        "causes": _causes(together),
        "files": files[:LISTED],
        "since": together[0].created_at.isoformat(),
        "until": together[-1].created_at.isoformat(),
    }


def _causes(together: Sequence[Notice]) -> list[dict[str, Any]]:
    """Each cause with how many files it stopped, most frequent first. Counted by code, or by words where an older
    version wrote words instead."""
    counted: Counter[str] = Counter()
    causes: dict[str, dict[str, Any]] = {}
    for notice in together:
        cause = {name: notice.facts[name] for name in ("cause_code", "cause") if notice.facts.get(name)}
        if cause:
            key = cause.get("cause_code") or repr(sorted(cause["cause"].items()))
            causes.setdefault(key, cause)
            counted[key] += 1
    return [{**causes[key], "files": files} for key, files in counted.most_common()]

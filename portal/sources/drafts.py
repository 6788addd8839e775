"""Recipes that are being written in the browser, and the answers that they were tried with. Data only: it must not know
what a recipe is.

A draft belongs to all administrators. It is deleted thirty days after its last change, with its answers: they have
telephone numbers in them.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Boolean, ColumnElement, ForeignKey, LargeBinary, String, Text, delete, func, select, update
from sqlalchemy.orm import Mapped, defer, mapped_column

from portal import audit
from portal.database import Model, UtcDateTime, changed_rows, db, reading

KEPT = timedelta(days=30)  # after the last change
MOST_SAMPLES = 12  # of one draft
SIGNS_IN = "login"  # the meaning of a question that only signs in
REPLACED = "replaced"  # of one that was asked again: what it has cost is kept of it


class SourceDraft(Model):
    """One recipe that is being written. `mark` changes with its text: two tabs do not undo each other's work."""

    __tablename__ = "source_drafts"

    token: Mapped[str] = mapped_column(String(32), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(String(40))  # the source that it changes, or has become
    file: Mapped[str | None] = mapped_column(String(255))  # of that source
    notes: Mapped[list[list[str]]] = mapped_column(JSON)  # what could not be taken over: pairs of a code and a word
    number: Mapped[str] = mapped_column(String(20))  # of the command, in E.164
    made_by: Mapped[str] = mapped_column(String(255))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(String(255))


class DraftSample(Model):
    """One number that a draft was tried with, and the answer. `meaning`: what a person says that it is."""

    __tablename__ = "draft_samples"

    id: Mapped[int] = mapped_column(primary_key=True)
    draft: Mapped[str] = mapped_column(ForeignKey("source_drafts.token"), index=True)
    number: Mapped[str] = mapped_column(String(20))  # in E.164
    user_id: Mapped[int | None]  # whose money it costs
    meaning: Mapped[str] = mapped_column(String(20))
    spoilt: Mapped[bool] = mapped_column(Boolean)  # asked with wrong secrets
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # by a worker
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # as `sampling.SampleResult.facts`
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


def create(text: str, actor: str, now: datetime, **more: Any) -> str:
    """Keep a new draft, and return its token. Commits."""
    token = secrets.token_urlsafe(12)
    defaults: dict[str, Any] = {"source": None, "file": None, "notes": [], "number": ""}
    db.session.add(
        SourceDraft(token=token, text=text, made_by=actor, changed_at=now, changed_by=actor, **{**defaults, **more})
    )
    db.session.commit()
    return token


def find(token: str) -> SourceDraft | None:
    """One draft."""
    with reading() as session:
        return session.get(SourceDraft, token)


def listed() -> Sequence[SourceDraft]:
    """All drafts, the last changed first."""
    with reading() as session:
        return list(session.scalars(select(SourceDraft).order_by(SourceDraft.changed_at.desc()).limit(100)))


def of_source(name: str) -> SourceDraft | None:
    """The draft that changes this source, or has become it."""
    with reading() as session:
        own = select(SourceDraft).where(SourceDraft.source == name).order_by(SourceDraft.changed_at.desc())
        return session.scalar(own.limit(1))


def change(token: str, text: str, actor: str, now: datetime, *, seen: str | None = None, **more: Any) -> bool:
    """Save a draft's text. `seen` is the text that the change was made of: False when it is another by now. Commits."""
    own = update(SourceDraft).where(SourceDraft.token == token)
    if seen is not None:
        own = own.where(SourceDraft.text == seen)
    changed = bool(changed_rows(own.values(text=text, changed_at=now, changed_by=actor, **more)))
    db.session.commit()
    return changed


def remove(token: str) -> None:
    """Delete a draft with its answers. Commits."""
    changed_rows(delete(DraftSample).where(DraftSample.draft == token))
    changed_rows(delete(SourceDraft).where(SourceDraft.token == token))
    db.session.commit()


def forget(now: datetime) -> None:
    """Delete what nobody has changed for thirty days. Commits."""
    old = select(SourceDraft.token).where(SourceDraft.changed_at <= now - KEPT)
    changed_rows(delete(DraftSample).where(DraftSample.draft.in_(old)))
    changed_rows(delete(SourceDraft).where(SourceDraft.changed_at <= now - KEPT))
    db.session.commit()


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def add_sample(
    token: str, number: str, meaning: str, now: datetime, *, spoilt: bool = False, user_id: int | None = None
) -> int | None:
    """Keep a question that a worker will ask; None when the draft has enough. The same one is asked anew. `user_id`:
    whose money it costs. Commits."""
    same = [DraftSample.draft == token, DraftSample.spoilt == spoilt]
    same += [DraftSample.meaning == meaning] if meaning == SIGNS_IN else [
        DraftSample.number == number, DraftSample.meaning != SIGNS_IN
    ]  # fmt: skip
    _set_aside(*same)
    own = (DraftSample.draft == token, DraftSample.meaning != REPLACED)
    count = db.session.scalar(select(func.count()).select_from(DraftSample).where(*own))
    if (count or 0) >= MOST_SAMPLES:
        db.session.commit()
        return None
    sample = DraftSample(
        draft=token, number=number, meaning=meaning, spoilt=spoilt, asked_at=now, user_id=user_id
    )  # fmt: skip
    db.session.add(sample)
    db.session.commit()
    return sample.id


def samples(token: str, *, with_body: bool = True) -> Sequence[DraftSample]:
    """The questions of a draft, in the order in which they were asked."""
    with reading() as session:
        own = select(DraftSample).where(DraftSample.draft == token, DraftSample.meaning != REPLACED)
        own = own.order_by(DraftSample.id)
        return list(session.scalars(own if with_body else own.options(defer(DraftSample.body))))


def take_sample(sample_id: int, now: datetime) -> tuple[DraftSample, str] | None:
    """Claim a question for a worker, with its draft's text; None when it is gone or taken. Commits."""
    own = (DraftSample.id == sample_id, DraftSample.taken_at.is_(None))
    taken = changed_rows(update(DraftSample).where(*own).values(taken_at=now))
    db.session.commit()
    if not taken:
        return None
    with reading() as session:
        sample = session.get(DraftSample, sample_id)
        draft = session.get(SourceDraft, sample.draft) if sample else None
    return (sample, draft.text) if sample and draft else None


def answer_sample(sample_id: int, facts: dict[str, Any], body: bytes) -> None:
    """Keep the answer. Commits."""
    changed_rows(update(DraftSample).where(DraftSample.id == sample_id).values(facts=facts, body=body))
    db.session.commit()


def mean(token: str, meanings: dict[int, str]) -> None:
    """Note what a person says that the answers are, by the ids of their questions. Commits."""
    for sample_id, meaning in meanings.items():
        own = (DraftSample.id == sample_id, DraftSample.draft == token)
        changed_rows(update(DraftSample).where(*own).values(meaning=meaning))
    db.session.commit()


def remove_sample(token: str, sample_id: int) -> None:
    """Delete one question with its answer. Commits."""
    _set_aside(DraftSample.id == sample_id, DraftSample.draft == token)
    db.session.commit()


def _set_aside(*which: ColumnElement[bool]) -> None:
    """Delete questions with their answers. Of those that may have cost something, the cost stays."""
    own = (*which, DraftSample.meaning != REPLACED)
    for sample in db.session.scalars(select(DraftSample).where(*own, DraftSample.facts.is_not(None))).all():
        kept = {
            name: value
            for name, value in (sample.facts or {}).items()
            if name in ("status", "cost", "booked", "was_free", "is_asked")
        }
        if sample.meaning != SIGNS_IN and kept.get("status"):
            sample.facts, sample.meaning, sample.number, sample.body = kept, REPLACED, "", None
    db.session.flush()
    changed_rows(delete(DraftSample).where(*own))


def note_offer(actor: str, source: str, now: datetime) -> None:
    """Note in the audit that a source was offered from a draft. Commits."""
    audit.note(actor, "source_offered", "source", source, None, now)
    db.session.commit()

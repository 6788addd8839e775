"""The tables of lists that are merged: which earlier file a new list is compared with, what came of it, and the rows
that are not the same. `jobs.merge` compares; `core.list_merges` has the verbs."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.clock import utcnow
from portal.database import EnumColumn, Model, UtcDateTime, enum_check
from portal.documents.comparison.two_lists import RowKind
from portal.jobs.core.step_rules import ByStep
from portal.sources.base import Outcome


class MergeState(StrEnum):
    """How far a comparison is."""

    WAITING = "waiting"  # for a worker, or a worker is comparing
    READY = "ready"
    REFUSED = "refused"  # they cannot be compared; `problem` says why


class MergeProblem(StrEnum):
    """Why two lists cannot be compared."""

    EARLIER_GONE = "earlier_gone"  # the earlier file was deleted
    CONTENT_GONE = "content_gone"  # the rows of the new one are gone
    FAULT = "fault"  # an error in the program, several times


class Asks(StrEnum):
    """Which numbers of the new list are looked up."""

    UNANSWERED = "unanswered"  # those that have no answer in the earlier file
    NOT_FOUND = "not_found"  # these, and those that were not found then
    EVERYTHING = "all"  # the answers of the earlier file are not used


class ListMerge(Model):
    """A document beside an earlier job of the same person. A document has one at most that has not been started."""

    __tablename__ = "list_merges"

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), index=True)
    before_id: Mapped[int]  # the earlier job
    is_started: Mapped[bool] = mapped_column(default=False)  # a job of the document has it
    state: Mapped[MergeState] = mapped_column(EnumColumn(MergeState), default=MergeState.WAITING)
    problem: Mapped[MergeProblem | None] = mapped_column(EnumColumn(MergeProblem))
    choice: Mapped[dict[str, Any]] = mapped_column(JSON)  # the fields of a SheetChoice
    compared: Mapped[str] = mapped_column(String(64))  # a hash of what was compared: of another choice it is not true
    # the key: a position in the new list, and the one in the earlier list; empty: it is proposed
    column: Mapped[int | None]
    before_column: Mapped[int | None]
    options: Mapped[list[list[float]]] = mapped_column(JSON, default=list)  # the columns that can be the key, in order
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)  # rows by kind, and numbers by their answer
    asks: Mapped[Asks] = mapped_column(EnumColumn(Asks), default=Asks.UNANSWERED)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    compared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # the worker that compares: how many had it, and until when the last one holds it
    tries: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    # An id is never used again: a worker may still compare for one that was deleted.
    __table_args__ = (enum_check("state", MergeState), {"sqlite_autoincrement": True})


class ListChange(Model):
    """A row that is not the same in both lists: one of the new list or, with `of_before`, one that is gone."""

    __tablename__ = "list_changes"

    merge_id: Mapped[int] = mapped_column(ForeignKey("list_merges.id"), primary_key=True)
    of_before: Mapped[bool] = mapped_column(primary_key=True)
    row_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # as Excel counts, from 1
    kind: Mapped[RowKind] = mapped_column(EnumColumn(RowKind))
    before: Mapped[str] = mapped_column(String(100), default="")  # its telephones in the earlier list, as written there


class CarriedAnswer(Model):
    """What a started job has not taken over yet of an earlier one that was deleted for good: an answer for a number of
    its own. The columns are those of `numbers`."""

    __tablename__ = "carried_answers"

    merge_id: Mapped[int] = mapped_column(ForeignKey("list_merges.id"), primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # the number's place in the earlier job
    e164: Mapped[str] = mapped_column(String(20))
    outcome: Mapped[Outcome] = mapped_column(EnumColumn(Outcome))
    reason: Mapped[str | None] = mapped_column(String(40))
    answer: Mapped[dict[str, str] | None] = mapped_column(JSON)
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    by_step: Mapped[ByStep | None] = mapped_column(JSON(none_as_null=True))

    __table_args__ = (
        enum_check("outcome", Outcome),
        Index("ix_carried_answers_e164_merge_id", "e164", "merge_id"),
    )

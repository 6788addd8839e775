"""The table of the sources of a job that has several, which are asked one after the other or side by side.

A job with one source has no row here. Amounts are billionths of the job's currency, counters count cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.causes import CauseCode
from portal.database import EnumColumn, Model, enum_check
from portal.sources.base import Outcome

MOST_STEPS = 4


class StepRule(StrEnum):
    """Which numbers a source is asked about."""

    FIRST = "first"  # it is the first one: all
    NOT_FOUND = "not_found"  # those for which the sources before it have found nothing
    NO_ANSWER = "no_answer"  # these, and those for which they gave no answer
    BESIDE = "beside"  # all, whatever the sources before it have found


class JobStep(Model):
    """One of the sources of a job, and what came of it so far."""

    __tablename__ = "job_steps"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # its position, from 1
    source: Mapped[str] = mapped_column(String(40))
    rule: Mapped[StepRule] = mapped_column(EnumColumn(StepRule))
    cost_cap: Mapped[int | None] = mapped_column(BigInteger)  # the most that it may cost; empty: no cap of its own
    cost: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    # what it may have charged for questions whose answer was lost
    cost_unsure: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    # the versions of its data that answered; while the job is at this step, the job's row has them
    source_versions: Mapped[str] = mapped_column(String(200), default="", server_default="")
    arrived: Mapped[int] = mapped_column(default=0, server_default="0")  # cells whose number was to be asked here
    # what it said of them
    found: Mapped[int] = mapped_column(default=0, server_default="0")
    not_found: Mapped[int] = mapped_column(default=0, server_default="0")
    invalid: Mapped[int] = mapped_column(default=0, server_default="0")
    rejected: Mapped[int] = mapped_column(default=0, server_default="0")
    failed: Mapped[int] = mapped_column(default=0, server_default="0")
    skipped: Mapped[int] = mapped_column(default=0, server_default="0")  # not asked, as a person went on without it

    __table_args__ = (enum_check("rule", StepRule),)

    @property
    def answered(self) -> int:
        """The cells for whose number it gave a final answer."""
        return self.found + self.not_found + self.invalid + self.rejected


STEP_COUNTERS = {
    Outcome.FOUND: "found",
    Outcome.NOT_FOUND: "not_found",
    Outcome.INVALID: "invalid",
    Outcome.REJECTED: "rejected",
    Outcome.FAILED: "failed",
}
"""The column that counts the cells of each outcome at one step, without those of a skipped source."""
SKIPPED = "skipped"
"""The column that counts these."""


def counter_of(outcome: Outcome, reason: str | None) -> str:
    """The column of what a source has said of a number."""
    return SKIPPED if reason == CauseCode.SOURCE_SKIPPED else STEP_COUNTERS[outcome]


@dataclass(frozen=True)
class NextSource:
    """A further source of a job that is about to be started, and the most that it may cost, in billionths."""

    source: str
    rule: StepRule
    cost_cap: int | None = None

    def kept(self) -> dict[str, Any]:
        """It as a repeat keeps it."""
        return {"source": self.source, "rule": str(self.rule), "cost_cap": self.cost_cap}

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `kept` has made."""
        return cls(kept["source"], StepRule(kept["rule"]), kept.get("cost_cap"))

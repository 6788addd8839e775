"""The columns of a job. The seed's names are kept; columns that the design's rules need follow them."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.clock import utcnow
from portal.database import ClippedText, EnumColumn, Positions, UtcDateTime
from portal.documents.models import NOTE_LENGTH, Folded
from portal.documents.search_text import of_new_row
from portal.jobs.core.status import Status
from portal.sources.base import Outcome
from portal.sources.several import names_of

COUNTERS = {
    Outcome.FOUND: "found_count",
    Outcome.NOT_FOUND: "not_found_count",
    Outcome.INVALID: "invalid_count",
    Outcome.REJECTED: "rejected_count",
    Outcome.FAILED: "failed_count",
}
"""The column that counts the cells of each outcome; those without one wait."""

VERSION_LENGTH = 38  # letters of one version of a source's data; five of them are kept


class JobColumns:
    """The columns of `scraping_jobs`."""

    # the seed's
    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    file_name: Mapped[str] = mapped_column(String(255))
    status: Mapped[Status] = mapped_column(EnumColumn(Status), default=Status.PENDING)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # of the present or last attempt
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retry_count: Mapped[int] = mapped_column(default=0)
    max_retries: Mapped[int] = mapped_column(default=3)
    last_error: Mapped[str | None] = mapped_column(ClippedText(500))  # a CauseCode, or a text written by hand
    total_numbers: Mapped[int] = mapped_column(default=0)
    processed_numbers: Mapped[int] = mapped_column(default=0)  # rows with a final answer
    # what its numbers have cost, in billionths of the source's currency, written with the answers
    cost: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    # what the source may have charged for questions whose answer was lost
    cost_unsure: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    cost_cap: Mapped[int | None] = mapped_column(BigInteger)  # the most that it may cost; empty: no cap of its own
    currency: Mapped[str] = mapped_column(String(8), default="", server_default="")  # of these amounts
    timeout_minutes: Mapped[int] = mapped_column(default=30)

    # what is looked up, and at which source; of several, the one that is asked now
    source: Mapped[str] = mapped_column(String(40), default="offline")
    # with several sources: their names, the position of the present one, and how far it is: for each cell without a
    # final answer, how many sources are behind it
    chain: Mapped[str] = mapped_column(String(200), default="", server_default="")
    step: Mapped[int] = mapped_column(default=1, server_default="1")
    passed_on: Mapped[int] = mapped_column(default=0, server_default="0")
    # what waits at its sources up to this one is moved on to the next by a worker: a person has skipped it
    skipped_step: Mapped[int | None]
    # the versions of its data that answered, in order, with commas between them; of a recipe the version of its text
    source_versions: Mapped[str] = mapped_column(String(200), default="", server_default="")
    sheet: Mapped[int] = mapped_column(default=0)  # position in the workbook, from 0
    header_row: Mapped[int] = mapped_column(default=1)  # row number as Excel counts, 0 = the sheet has none
    column: Mapped[int] = mapped_column(default=0)  # position in the row, from 0; the first of those with numbers
    more_columns: Mapped[tuple[int, ...]] = mapped_column(Positions(100), default=(), server_default="")  # the others
    country: Mapped[str] = mapped_column(String(2), default="ES")  # of numbers without a prefix
    country_column: Mapped[int | None]  # that names the country of each row's numbers
    # rows that the person left alone: `hidden`, `totals`, or both
    left_out: Mapped[str] = mapped_column(String(40), default="", server_default="")

    # counters like processed_numbers, written with the answers, so that progress needs no GROUP BY
    found_count: Mapped[int] = mapped_column(default=0)
    not_found_count: Mapped[int] = mapped_column(default=0)
    invalid_count: Mapped[int] = mapped_column(default=0)
    rejected_count: Mapped[int] = mapped_column(default=0)
    failed_count: Mapped[int] = mapped_column(default=0)
    # of the invalid ones: those in which there is nothing, so that there is nothing to fix
    blank_count: Mapped[int] = mapped_column(default=0, server_default="0")
    # of the rejected ones: those whose number is excluded or erased, so that there is nothing to fix
    left_alone_count: Mapped[int] = mapped_column(default=0, server_default="0")

    # the attempt: its number is the fence, its lease tells a lost worker from a slow one
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_progress_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # this attempt's last row, if any
    # to tell whether a lost attempt saved anything new; an answer after which another source is asked lowers it
    processed_at_claim: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(80))  # that claimed it; `core.share_tables` has all of them
    next_no: Mapped[int | None]  # the first number that no worker of this attempt has had; empty: each was given out
    # after the numbers up to this one it pauses, so that its person can look at the first answers; empty: it does not
    pause_after: Mapped[int | None]
    last_token: Mapped[int] = mapped_column(default=0, server_default="0")  # of the attempt's holders

    # waiting: why and until when
    generation: Mapped[int] = mapped_column(default=0)  # of the Redis message; each push has its own
    enqueued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # empty: not in Redis yet
    # it is not looked up before: its source is busy or down, or its person chose the moment
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    wait_cause: Mapped[str | None] = mapped_column(String(40))  # why it waits until then: a CauseCode
    # since when it waits for its source without a new answer; empty while it does not
    waits_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # empty on failed/timeout: final
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # how old an answer of an earlier file may be, in days; 0: all are asked again; empty: as the source's recipe says
    known_days: Mapped[int | None]
    put_first_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # an admin lets it go before everybody's jobs

    # the repeat that its document has, and the time that it was started for; empty: a person started it
    repeat_id: Mapped[int | None]
    repeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    merge_id: Mapped[int | None]  # the comparison with an earlier list, whose answers it takes over: a ListMerge

    source_paused = False  # not a column: `queries` sets it on each job that it returns to a page

    round: Mapped[int] = mapped_column(default=1)  # rises when a person grants a fresh retry budget
    # the end that the metrics count; empty while the job is unfinished
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # deleted because its retention period ended
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # set too while it is in the trash
    purge_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # in the trash until then; empty: not in it

    # what its owner wrote about the file, and what a search looks in
    note: Mapped[str] = mapped_column(String(NOTE_LENGTH), default="", server_default="")
    labels: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    search_text: Mapped[str] = mapped_column(Folded, default=of_new_row, server_default="")

    @property
    def all_sources(self) -> str:
        """The names of its sources in their order, as `sources.several` has them."""
        return self.chain or self.source

    @property
    def step_count(self) -> int:
        """How many sources it has."""
        return len(names_of(self.all_sources))

    @property
    def columns(self) -> tuple[int, ...]:
        """The positions of all columns with numbers, in the sheet's order."""
        return (self.column, *(self.more_columns or ()))

"""What the check page and the page of a file say of a comparison with an earlier list. Read-only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask_login import current_user

from portal import sources
from portal.documents.comparison.two_lists import RowChange, RowKind
from portal.documents.models import Document
from portal.documents.preview import Preview
from portal.documents.reader.sheet_file import column_letter
from portal.jobs.commands import Merge
from portal.jobs.core.merge_tables import Asks, ListMerge, MergeProblem, MergeState
from portal.jobs.merge import candidates, drafts
from portal.jobs.merge.carried import Carried
from portal.jobs.merge.changed_rows import RowChanges
from portal.jobs.merge.runner import SAME_AND_BLANK
from portal.jobs.models import ScrapingJob
from portal.jobs.spending.estimate import Corrected, Merged
from portal.jobs.words.merges import merge_problem_words
from portal.sources.base import FINAL, Outcome
from portal.sources.several import names_of
from portal.sources.words import source_title

STALE = "stale"  # compared, and what is looked up has changed since
MOST_KEYS = 30  # columns to choose from


@dataclass(frozen=True)
class MergeView:
    """A comparison as a page shows it. `state` is one of MergeState, or STALE."""

    merge: ListMerge
    state: str
    name: str  # of the earlier file
    before: ScrapingJob | None  # the earlier job, while it is there
    asks: Asks = Asks.UNANSWERED
    source: str = ""  # at which the new list is looked up
    keys: list[tuple[int, str]] = field(default_factory=list)  # the columns that can be the key, the likeliest first
    key_before: str = ""  # the heading of the key in the earlier list, where it is another one
    numbers: int = 0  # of the new list

    @property
    def is_ready(self) -> bool:
        """Whether the file can be started with it."""
        return self.state == MergeState.READY

    @property
    def problem(self) -> str:
        """Why the lists cannot be compared, in words."""
        if self.state != MergeState.REFUSED:
            return ""
        return merge_problem_words(self.merge.problem if self.before else MergeProblem.EARLIER_GONE)

    def rows(self, kind: str) -> int:
        """How many rows are of this kind, a RowKind's value, or how many rows of the earlier list have no key."""
        return int(self.merge.counts.get(kind, 0))

    @property
    def same_phone(self) -> int:
        """How many rows have the same telephone: without those that have none in either list."""
        return self.rows(RowKind.SAME) - self.rows(SAME_AND_BLANK)

    @property
    def matched(self) -> int:
        """How many rows are in both lists."""
        return self.rows(RowKind.SAME) + self.rows(RowKind.CHANGED) + self.rows(RowKind.REPEATED)

    @property
    def _before_sources(self) -> Sequence[str]:
        return names_of(self.before.all_sources) if self.before is not None else ()

    @property
    def carries(self) -> bool:
        """Whether answers are taken over: only those of the same source can be."""
        return self.before is not None and self.source in self._before_sources

    @property
    def other_source(self) -> str:
        """The source of the earlier answers, in words, if it is another one."""
        return source_title(self._before_sources[0]) if self.before is not None and not self.carries else ""

    @property
    def before_source(self) -> str:
        """The source of the earlier answers; of several, the first."""
        return self._before_sources[0] if self.before is not None else ""

    @property
    def source_is_there(self) -> bool:
        """Whether the source of the earlier answers can be chosen."""
        return self.before_source in sources.names()

    def answered(self, asks: Asks, source: str = "") -> int:
        """How many numbers of the new list have an answer in the earlier one that counts, of this source; by default of
        the first."""
        if asks == Asks.EVERYTHING:
            return 0
        wanted = [one for one in FINAL if asks == Asks.UNANSWERED or one != Outcome.NOT_FOUND]
        return sum(self.rows(f"{source or self.source}:{one.value}") for one in wanted)

    @property
    def ways(self) -> list[tuple[Asks, int]]:
        """The ways of choosing which numbers are looked up that differ, each with how many these are."""
        found = [(asks, max(0, self.numbers - self.answered(asks))) for asks in Asks]
        return [one for n, one in enumerate(found) if one[1] not in [count for _, count in found[:n]]]

    def merged(self, source: str) -> Merged | None:
        """What an estimate for one of the new list's sources has to know of it."""
        carried = Carried.at(self.before, source, self.asks) if self.is_ready and self.before else None
        return Merged(carried, self.answered(self.asks, source)) if carried else None

    @property
    def change_of(self) -> Callable[[int], RowChange] | None:
        """What each row is beside the earlier list, asked for in their order; None until they are compared."""
        return RowChanges(self.merge.id).of_row if self.is_ready else None

    @property
    def to_start(self) -> Merge:
        """What a start has to know of it."""
        return Merge(self.merge.id, self.merge.compared, self.asks)

    @property
    def version(self) -> str:
        """A text that changes with what the page shows."""
        return version_of(self.merge)


def version_of(merge: ListMerge | None) -> str:
    """A text that changes with the comparison."""
    return f"{merge.id}-{merge.state.value}" if merge else ""


def view_of(document: Document, look: Preview, corrected: Corrected, source: str, asked: str) -> MergeView | None:
    """The comparison of a document that was not started yet, for its check page; `asked` is which numbers are looked
    up, one of Asks."""
    merge = drafts.draft_of(document.id)
    if merge is None:
        return None
    before = drafts.earlier_job(merge, current_user)
    compared = drafts.hash_of_lists(document.storage_key, look.picked.choice, corrected, merge.before_id)
    state = str(merge.state)
    if before is None:
        state = str(MergeState.REFUSED)
    elif merge.compared != compared:
        state = STALE
    return MergeView(
        merge, state, drafts.earlier_name(merge), before, asks_in(asked), source, _keys(merge, look),
        _key_before(merge, look.picked.header, before), look.figures.to_look_up,
    )  # fmt: skip


def may_compare(document: Document) -> bool:
    """Whether there is an earlier file to compare the document with."""
    return candidates.has_earlier(document)


def view_of_job(job: ScrapingJob, header: Sequence[str]) -> MergeView | None:
    """The comparison with which a job was started, for its page. `header` are the headings of its sheet."""
    merge = drafts.of_job(job)
    if merge is None:
        return None
    before = drafts.earlier_job(merge, current_user)
    column = merge.column or 0
    keys = [(column, (header[column] if column < len(header) else "") or column_letter(column))]
    return MergeView(
        merge, str(merge.state), drafts.earlier_name(merge), before, merge.asks, job.source, keys,
        key_before=_key_before(merge, header, before),
    )  # fmt: skip


def ask_again(view: MergeView, now: datetime) -> None:
    """Let a worker compare, if none does."""
    drafts.ask_again(view.merge, now)


def asks_in(text: str) -> Asks:
    """Which numbers are looked up, as a form says; those without an answer by default."""
    return Asks(text) if text in tuple(Asks) else Asks.UNANSWERED


def fields_of(view: MergeView | None) -> Mapping[str, str]:
    """What an address needs so that the page opens with the same choice."""
    return {} if view is None or view.asks == Asks.UNANSWERED else {"merge_asks": view.asks.value}


def _keys(merge: ListMerge, look: Preview) -> list[tuple[int, str]]:
    names = dict(look.columns)
    known = [int(column) for column, *_ in merge.options][:MOST_KEYS]
    chosen = [] if merge.column is None or merge.column in known else [merge.column]
    return [(column, names[column]) for column in (*chosen, *known) if column in names]


def _key_before(merge: ListMerge, ours: Sequence[str], before: ScrapingJob | None) -> str:
    """The heading of the key in the earlier list, or its letter, if it is not that of the new one."""
    if before is None or merge.column is None or merge.before_column is None:
        return ""
    facts = next((facts for facts in before.document.sheets if facts["index"] == before.sheet), {})
    theirs = facts.get("header", []) if facts.get("header_row") == before.header_row and before.header_row else []
    old = str(theirs[merge.before_column]).strip() if merge.before_column < len(theirs) else ""
    new = ours[merge.column].strip() if merge.column < len(ours) else ""
    if old.casefold() == new.casefold():
        same_place = old or merge.column == merge.before_column
        return "" if same_place else column_letter(merge.before_column)
    return old or column_letter(merge.before_column)

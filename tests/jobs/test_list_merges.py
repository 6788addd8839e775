"""Two lists are compared in the background: by one worker at a time, in pieces, and again after one that was killed."""

import json
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import sources
from portal.accounts import User
from portal.database import db
from portal.documents import corrections
from portal.documents.choice import SheetChoice
from portal.documents.comparison import key_columns, two_lists
from portal.documents.comparison.two_lists import RowKind, TwoLists
from portal.documents.storage import StorageAway
from portal.jobs import commands
from portal.jobs.commands import CannotStart, Merge
from portal.jobs.core.job_tables import Number
from portal.jobs.core.merge_tables import Asks, ListChange, ListMerge, MergeProblem, MergeState
from portal.jobs.core.status import Status
from portal.jobs.core.step_tables import NextSource, StepRule
from portal.jobs.export.lines import RowFilter, lines, plan_for
from portal.jobs.merge import carried, changed_rows, drafts, earlier_rows, runner
from portal.jobs.merge.carried import Carried
from portal.jobs.merge.changed_rows import RowChanges, RowSet
from portal.jobs.models import ScrapingJob
from portal.jobs.number_erasure import other_rows
from portal.jobs.number_erasure.runner import Asked
from portal.jobs.spending.estimate import Merged, estimate
from portal.sources.base import Answer, Outcome
from tests.jobs.export.exporting import job_on, ran
from tests.support.cast import NOW, mobile
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource, found
from tests.support.statements import statements

HEAD = ["Cliente", "Teléfono"]
CHOICE = SheetChoice(0, 1, (1,), "ES")


def customers(numbers: range, changed: int = 0) -> list[list[Any]]:
    """A heading, and customers with their numbers; every so many have another one."""
    rows = [[f"C{n}", mobile(n + (1_000_000 if changed and n % changed == 0 else 0))] for n in numbers]
    return [HEAD, *rows]


def both_lists(app: Flask, user: User, size: int) -> tuple[ScrapingJob, ScrapingJob]:
    """An earlier job that has its answers, and a job of a newer list, a tenth of whose rows are gone, new, or have
    another number."""
    tenth = size // 10
    old = ran(job_on(app, user, customers(range(size)), column=1, source="counting", file_name="viejo.xlsx"))
    new = job_on(app, user, customers(range(tenth, size + tenth), 10), column=1, source="counting", file_name="n.xlsx")
    return old, new


def asked(new: ScrapingJob, old: ScrapingJob, column: int | None = None) -> ListMerge:
    merge = drafts.ask(new.document, old.id, CHOICE, (), column, NOW)
    assert merge is not None
    return merge


def compare(app: Flask, merge_id: int, now: Any = NOW) -> bool:
    return runner.compare(merge_id, app.extensions["storage"], lambda: now)


def again(merge_id: int) -> ListMerge:
    return db.session.get_one(ListMerge, merge_id, populate_existing=True)


@ON_BOTH
def test_it_says_of_each_row_what_it_is(app: Flask, alice: User, counting: CountingSource) -> None:
    old, new = both_lists(app, alice, 40)
    merge_id = asked(new, old).id
    assert compare(app, merge_id)
    merge = again(merge_id)
    assert (merge.state, merge.column, merge.before_column) == (MergeState.READY, 0, 0)
    kinds = {kind: count for kind, count in merge.counts.items() if count}
    assert kinds == {"same": 33, "changed": 3, "new": 4, "gone": 4, "counting:found": 33}
    changes = RowChanges(merge_id)
    assert [str(changes.of_row(row).kind) for row in range(2, 14)].count("changed") == 1
    gone = RowSet(merge_id)
    assert [row for row in range(60) if row in gone] == [2, 3, 4, 5]
    assert not compare(app, merge_id)  # it is done


@ON_BOTH
def test_one_that_was_killed_is_made_again_and_two_do_not_mix(
    app: Flask, alice: User, counting: CountingSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = both_lists(app, alice, 40)
    merge_id = asked(new, old).id
    monkeypatch.setattr(runner, "PIECE_ROWS", 4)
    write = runner.insert_rows

    def killed(*args: Any) -> None:
        write(*args)
        if db.session.scalar(select(func.count()).select_from(ListChange)):
            raise KeyboardInterrupt

    monkeypatch.setattr(runner, "insert_rows", killed)
    monkeypatch.setattr(runner._Hold, "change", lambda *_, **__: None)  # a killed process gives nothing back
    with pytest.raises(KeyboardInterrupt):
        compare(app, merge_id)
    monkeypatch.undo()
    assert not compare(app, merge_id)  # somebody has it, as far as anybody knows
    assert compare(app, merge_id, NOW + timedelta(minutes=2))
    assert again(merge_id).tries == 2
    assert db.session.scalar(select(func.count()).select_from(ListChange)) == 11  # 3 changed, 4 new, 4 gone


def test_one_that_is_asked_for_anew_takes_the_place_of_the_one_under_way(
    app: Flask, alice: User, counting: CountingSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = both_lists(app, alice, 40)
    first = asked(new, old).id
    later: list[int] = []
    compared = TwoLists.compare

    def overtaken(two: TwoLists) -> dict[RowKind, int]:
        later.append(asked(new, old, 1).id)
        return compared(two)

    with monkeypatch.context() as patched:
        patched.setattr(TwoLists, "compare", overtaken)
        assert not compare(app, first)
    assert first not in later  # also on SQLite, which would give the number of a deleted row to the next one
    db.session.rollback()
    assert db.session.get(ListMerge, first) is None
    assert compare(app, later[0]) and again(later[0]).column == 1


@ON_BOTH
def test_it_gives_up_after_the_third_try(
    app: Flask, alice: User, counting: CountingSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = both_lists(app, alice, 10)
    merge_id = asked(new, old).id

    def broken(*_: Any) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(runner, "options", broken)
    for _ in range(3):
        with pytest.raises(ValueError, match="a fault"):
            compare(app, merge_id)
    assert not compare(app, merge_id)
    merge = again(merge_id)
    assert (merge.state, merge.problem) == (MergeState.REFUSED, MergeProblem.FAULT)


def test_while_the_storage_is_away_it_waits_and_uses_no_try(
    app: Flask, alice: User, counting: CountingSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = both_lists(app, alice, 10)
    merge_id = asked(new, old).id

    def away(*_: Any) -> Path:
        raise StorageAway("away")

    with monkeypatch.context() as patched:
        patched.setattr(app.extensions["storage"], "fetch", away)
        for _ in range(5):
            assert not compare(app, merge_id)
    assert (again(merge_id).state, again(merge_id).tries) == (MergeState.WAITING, 0)
    assert compare(app, merge_id)


@ON_BOTH
def test_an_earlier_file_that_is_deleted_meanwhile_is_said(app: Flask, alice: User, counting: CountingSource) -> None:
    old, new = both_lists(app, alice, 10)
    merge_id = asked(new, old).id
    commands.delete(old.id, alice.email, NOW, app.extensions["storage"])
    assert compare(app, merge_id)
    assert (again(merge_id).state, again(merge_id).problem) == (MergeState.REFUSED, MergeProblem.EARLIER_GONE)


@ON_BOTH
def test_nobody_elses_file_can_be_compared(app: Flask, alice: User, bob: User, counting: CountingSource) -> None:
    old, _ = both_lists(app, alice, 10)
    theirs = job_on(app, bob, customers(range(10)), column=1, source="counting")
    assert drafts.ask(theirs.document, old.id, CHOICE, (), None, NOW) is None
    assert drafts.ask(old.document, old.id, CHOICE, (), None, NOW) is None  # nor with itself


@ON_BOTH
def test_statements_and_memory_do_not_grow_with_the_rows(
    app: Flask, alice: User, counting: CountingSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["MAX_ROWS"] = 20_000
    pieces = ((runner, "PIECE_ROWS"), (two_lists, "PIECE_ROWS"), (earlier_rows, "CHUNK"), (key_columns, "SAMPLED"))
    for module, name in (*pieces, (changed_rows, "CHUNK"), (carried, "CHUNK")):
        monkeypatch.setattr(module, name, 500)

    def cost(size: int) -> tuple[int, int]:
        old, new = both_lists(app, alice, size)
        merge_id = asked(new, old).id
        tracemalloc.start()
        with statements() as compared:
            assert compare(app, merge_id)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        changes = RowChanges(merge_id)
        with statements() as read:
            assert sum(changes.of_row(row).kind == "new" for row in range(2, size + 2)) == size // 10
        return len(compared) + len(read), peak

    cost(100)
    few, small = cost(2000)
    many, large = cost(8000)
    assert many - few < 10 * 6000 / 500  # ten for each piece
    assert large < 2 * small  # for four times as many


@ON_BOTH
def test_the_start_takes_the_comparison_that_the_page_showed(app: Flask, alice: User, counting: CountingSource) -> None:
    old, new = both_lists(app, alice, 20)
    merge = asked(new, old)
    shown = Merge(merge.id, merge.compared, Asks.UNANSWERED)
    document, started = new.document, db.session.query(ScrapingJob).count()
    with pytest.raises(CannotStart, match="merge_changed"):  # nobody has compared yet
        commands.start(document, CHOICE, "counting", alice, NOW, push=False, merge=shown)
    assert compare(app, merge.id)
    with pytest.raises(CannotStart, match="merge_changed"):
        commands.start(document, CHOICE, "counting", alice, NOW, push=False, merge=shown._replace(compared="other"))
    assert db.session.query(ScrapingJob).count() == started
    first = commands.start(document, CHOICE, "counting", alice, NOW, push=False, merge=shown)
    with pytest.raises(CannotStart, match="merge_changed"):  # it has it now
        commands.start(document, CHOICE, "counting", alice, NOW, push=False, merge=shown)
    assert first.merge_id == merge.id and again(merge.id).is_started and drafts.draft_of(document.id) is None


@ON_BOTH
@pytest.mark.parametrize("at_once", [1, 10_000])
def test_answers_come_with_their_date_also_into_a_large_file(
    app: Flask, alice: User, counting: CountingSource, at_once: int
) -> None:
    old, new = both_lists(app, alice, 20)
    merge = asked(new, old)
    assert compare(app, merge.id)
    money = estimate(
        "counting", alice.id, app.extensions["storage"].sheet_path(new.document.storage_key, 0), CHOICE, (), 20, None,
        NOW, Merged(Carried(old.id, 0, Asks.UNANSWERED), 16),
    )  # fmt: skip
    counting.calls.clear()
    shown = Merge(merge.id, merge.compared, Asks.UNANSWERED)
    job = commands.start(
        new.document, CHOICE, "counting", alice, NOW + timedelta(days=9), push=False, merge=shown, at_once=at_once
    )
    ran(job)
    assert len(counting.calls) == money.to_ask == 20 - money.carried
    rows = db.session.scalars(select(Number).where(Number.job_id == job.id)).all()
    was = {row.e164: row.checked_at for row in db.session.scalars(select(Number).where(Number.job_id == old.id))}
    assert {row.outcome for row in rows} == {Outcome.FOUND}
    assert [row.checked_at == was[row.e164] for row in rows if row.e164 in was] == [True] * money.carried
    job = db.session.get_one(ScrapingJob, job.id, populate_existing=True)
    assert (job.processed_numbers, job.found_count, job.cost) == (20, 20, 0)


@ON_BOTH
def test_who_stops_reading_an_earlier_list_holds_no_connection(
    app: Flask, alice: User, counting: CountingSource
) -> None:
    old, _ = both_lists(app, alice, 20)
    old_id = old.id
    db.session.commit()
    rows = earlier_rows.numbers_of(old_id)
    assert next(rows).e164
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@ON_BOTH
def test_a_corrected_cell_is_compared_as_corrected(app: Flask, alice: User, counting: CountingSource) -> None:
    old = ran(job_on(app, alice, [HEAD, ["a", mobile(1)], ["b", mobile(2)]], column=1, source="counting"))
    new = job_on(app, alice, [HEAD, ["a", "6OO"], ["b", mobile(2)]], column=1, source="counting")
    key = new.document.storage_key
    corrections.correct(new.document_id, key, 0, {(2, 1): ("6OO", f"+34{mobile(1)}")}, NOW)
    merge = asked(new, old, 0)
    assert compare(app, merge.id)
    assert again(merge.id).counts["same"] == 2


@ON_BOTH
def test_an_erased_number_leaves_the_comparison_too(app: Flask, alice: User, counting: CountingSource) -> None:
    old, new = both_lists(app, alice, 20)
    merge = asked(new, old)
    assert compare(app, merge.id)
    before = db.session.scalars(select(ListChange.before).where(ListChange.before == mobile(10))).all()
    assert before == [mobile(10)]
    db.session.rollback()
    for table in other_rows.tables():
        other_rows.erase_in_table(table, Asked.of(f"+34{mobile(10)}").in_cells)
    assert db.session.scalars(select(ListChange.before).where(ListChange.before == mobile(10))).all() == []


def test_the_file_says_it_once_beside_two_columns_of_numbers(app: Flask, alice: User, counting: CountingSource) -> None:
    rows = [["Cliente", "Fijo", "Móvil"], ["a", "", mobile(1)], ["b", "912345678", mobile(2)]]
    both = SheetChoice(0, 1, (1, 2), "ES")
    first = job_on(app, alice, rows, column=1, source="counting", file_name="viejo.xlsx")
    old = ran(commands.start(first.document, both, "counting", alice, NOW, push=False))
    new = job_on(app, alice, [rows[0], rows[1], ["b", "912345678", mobile(9)]], column=1, source="counting")
    merge = drafts.ask(new.document, old.id, both, (), 0, NOW)
    assert merge is not None and compare(app, merge.id)
    shown = Merge(merge.id, merge.compared, Asks.UNANSWERED)
    job = ran(commands.start(new.document, both, "counting", alice, NOW, push=False, merge=shown))
    with app.test_request_context(headers={"Accept-Language": "en"}):
        plan = plan_for(job, app.extensions["storage"], RowFilter.ALL, None)
        found = [line.added for line in lines(plan)]
    assert found[0].count("Compared with the earlier list") == 1
    place = found[0].index("Compared with the earlier list")
    assert [line[place] for line in found[1:]] == ["Same phone", f"Other phone: it was 912345678 / {mobile(2)}"]
    assert json.dumps(found[0]).count("earlier list") == 1


@ON_BOTH
def test_each_of_several_sources_takes_over_its_own_answers(app: Flask, alice: User, counting: CountingSource) -> None:
    other = CountingSource(lambda e164: Answer(Outcome.FOUND, {"seen": f"other {e164}"}))
    sources.register("other", lambda: other)
    try:
        odd = {f"+34{mobile(n)}" for n in range(1, 30, 2)}
        counting.script = lambda e164: Answer(Outcome.NOT_FOUND) if e164 in odd else found(e164)
        then = [NextSource("other", StepRule.NOT_FOUND)]
        first = job_on(app, alice, customers(range(10)), column=1, source="counting", file_name="viejo.xlsx")
        old = completed(commands.start(first.document, CHOICE, "counting", alice, NOW, push=False, then=then))
        new = job_on(app, alice, customers(range(2, 12)), column=1, source="counting", file_name="nuevo.xlsx")
        merge = asked(new, old)
        assert compare(app, merge.id)
        counts = {name: count for name, count in again(merge.id).counts.items() if ":" in name}
        assert counts == {"counting:found": 4, "counting:not_found": 4, "other:found": 4}
        counting.calls.clear()
        other.calls.clear()
        shown = Merge(merge.id, merge.compared, Asks.UNANSWERED)
        job = completed(
            commands.start(new.document, CHOICE, "counting", alice, NOW, push=False, merge=shown, then=then)
        )
        assert sorted(counting.calls) == [f"+34{mobile(n)}" for n in (10, 11)]
        assert list(other.calls) == [f"+34{mobile(11)}"]  # the others of it were answered
        was = {row.e164: row.answer for row in db.session.scalars(select(Number).where(Number.job_id == old.id))}
        now = {row.e164: row.answer for row in db.session.scalars(select(Number).where(Number.job_id == job.id))}
        assert {e164: now[e164] for e164 in now if e164 in was} == {e164: was[e164] for e164 in now if e164 in was}
    finally:
        sources.unregister("other")


def completed(job: ScrapingJob) -> ScrapingJob:
    """The job after as many attempts as it needs, one for each of its sources."""
    for _ in range(5):
        if ran(db.session.get_one(ScrapingJob, job.id, populate_existing=True)).status == Status.COMPLETED:
            break
    return db.session.get_one(ScrapingJob, job.id, populate_existing=True)

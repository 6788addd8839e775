"""The table of causes: complete, the only place that spells a cause out, and with the rules that were sets before."""

import ast
from collections.abc import Iterator

import pytest
from flask import Flask
from flask_babel import force_locale

from portal.causes import CAUSES, REFUSALS, SIDES, UNKNOWN, Cause, CauseCode, Side, cause_for, what_happened
from portal.config import ROOT
from portal.jobs.words.causes import explain, reason_words, remedy
from portal.phone import Reason

# Names that hold a cause, and functions that are given one.
HOLD_A_CAUSE = {"reason", "cause", "cause_code", "last_error", "wait_cause"}
TAKE_A_CAUSE = {
    "SourceBusy", "SourceStopped", "_end_failed", "_end_refused", "_end_handed_back", "_end_unanswered",
    "_close_attempt", "fail", "hand_back", "trip", "cause_for", "explain", "reason_words", "remedy",
    "source_stopped", "source_facts",
}  # fmt: skip
BANNED = ("by itself", "asked to be", "put right", "put it right", "nobody", "have been told", "nothing.")


def flags(name: str) -> set[str]:
    return {code for code, cause in CAUSES.items() if getattr(cause, name)}


def spelled_out(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of every literal that is used as a cause: given, compared, kept or returned beside such a name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = [word.value for word in node.keywords if word.arg in HOLD_A_CAUSE]
            parts = [*given, *(node.args if name in TAKE_A_CAUSE else [])]
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            parts = sides if any(holds_a_cause(side) for side in sides) else []
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            parts = [value for key, value in pairs if isinstance(key, ast.Constant) and key.value in HOLD_A_CAUSE]
        elif isinstance(node, ast.Assign):
            parts = [node.value] if any(holds_a_cause(target) for target in node.targets) else []
        elif isinstance(node, ast.BoolOp):
            parts = node.values if any(holds_a_cause(value) for value in node.values) else []
        else:
            parts = []
        for part in parts:
            yield from literals_of(part)


def holds_a_cause(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in HOLD_A_CAUSE


def literals_of(node: ast.expr) -> Iterator[tuple[int, str]]:
    """The literal, those of both branches of a condition, and those of a list."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.lineno, node.value
    elif isinstance(node, ast.IfExp):
        yield from literals_of(node.body)
        yield from literals_of(node.orelse)
    elif isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.BoolOp)):
        for part in getattr(node, "elts", None) or node.values:  # type: ignore[attr-defined]
            yield from literals_of(part)


def test_no_cause_is_spelled_out_outside_its_enum() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / "portal").rglob("*.py"))
        if "migrations" not in path.parts
        for line, text in spelled_out(path.read_text())
    ]
    assert not found, "use a member of CauseCode"


@pytest.mark.parametrize(
    "code",
    [
        'raise SourceStopped("page_changed")', 'Answer(Outcome.FAILED, reason="temporary")',
        'job._end_handed_back("paused" if paused else CauseCode.RESTART)', 'values = {"last_error": "worker_lost"}',
        'if job.last_error in ("blocked", other): pass', 'given = job.wait_cause or "source_busy"',
        'job.last_error = "by_admin"',
    ],
)  # fmt: skip
def test_a_cause_that_is_spelled_out_is_found(code: str) -> None:
    assert len(list(spelled_out(code))) == 1


def test_every_code_has_one_record_and_every_record_is_complete() -> None:
    assert list(CAUSES) == list(CauseCode)
    assert set(SIDES) == set(Side)
    for cause in (*CAUSES.values(), UNKNOWN):
        assert all(text.strip() and text[-1] in ".)" for text in (cause.what, cause.retried, cause.remedy))
        assert cause.todo == cause.todo.strip()
    words = [cause.what for cause in CAUSES.values()]
    assert len(set(words)) == len(words), "a digest tells causes apart by their words"


def test_the_rules_are_those_of_the_sets_that_this_table_replaces() -> None:
    admins = {"page_changed", "answers_unusable", "nothing_there", "recipe_broken", "secret_missing", "address_refused"}
    admins |= {"robots_refuse", "source_unknown"}
    refusals = {"blocked", "credentials", "no_credit"}
    assert flags("for_admin") == admins | refusals
    assert flags("refusal") == set(REFUSALS) == refusals
    assert flags("temporary") == {
        "temporary", "rate_limited", "source_error", "source_busy", "no_progress", "worker_lost", "file_away",
        "source_skipped",
    }  # fmt: skip
    assert flags("asks_again") == {"temporary", "rate_limited", "unsure"} | refusals
    assert (flags("free"), flags("late")) == ({"rate_limited"}, {"unsure"} | refusals)


@pytest.mark.parametrize("code", [None, "", "The office closed", "a_code_of_theirs", Reason.BLANK])
def test_no_rule_holds_for_what_has_no_record(code: str | None) -> None:
    cause = cause_for(code)
    assert cause is UNKNOWN
    assert not any((cause.for_admin, cause.refusal, cause.temporary, cause.asks_again, cause.free, cause.late))


def test_a_text_written_by_hand_stays_and_a_strange_code_is_never_shown() -> None:
    assert what_happened("The office closed") == "The office closed"
    assert what_happened("a_code_of_theirs") == UNKNOWN.what
    assert (what_happened(None), what_happened("")) == ("", "")


@pytest.mark.parametrize("locale", ["en", "es"])
def test_causes_are_shown_in_plain_words(app: Flask, locale: str) -> None:
    with app.test_request_context(), force_locale(locale):
        for code in CauseCode:
            shown = explain(code)
            assert shown is not None
            said = " ".join([shown.what, shown.side, shown.retried, shown.todo, remedy(code)]).lower()
            assert not [word for word in BANNED if word in said]
            assert reason_words(code) == shown.what
            assert (locale == "en") == (shown.what == cause_for(code).what), "not translated"
        assert remedy(None) and remedy("The office closed")


def test_a_record_is_frozen() -> None:
    with pytest.raises(AttributeError):
        CAUSES["blocked"].free = True  # type: ignore[misc]
    assert isinstance(CAUSES["blocked"], Cause)

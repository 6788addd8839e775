"""A number that was refused before, when credit ends for all: it is no number of its own then."""

from portal.sources.http.refusals import Refusals


def test_a_question_of_its_own_is_not_judged_while_the_source_refuses_all() -> None:
    refusals = Refusals()
    refusals.remember(["a"], own=True)
    assert not refusals.refused("b", refusals.send())
    assert refusals.refused("c", refusals.send())
    assert refusals.refused("a", refusals.send()) and not refusals.is_own("a")
    refusals.answered(refusals.send())
    assert not refusals.refused("a", refusals.send()) and refusals.is_own("a")

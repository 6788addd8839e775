"""Many numbers in one call, answered at once, and each item given to its number. What is answered later is `later`'s.

An item that is about a number nobody asked for is left aside; a number without an item is asked again.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from portal.sources.base import Answer
from portal.sources.http.classify import Verdict, judge_item, judge_whole, search
from portal.sources.http.client import NoAnswer
from portal.sources.http.exchange import Exchange
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import Batch
from portal.sources.recipes.placeholders import FORMS, forms_of
from portal.sources.recipes.toml_table import plain

if TYPE_CHECKING:
    pass


def ask_many(session: Exchange, batch: Batch, numbers: Sequence[str]) -> Mapping[str, Answer]:
    """The answers for these numbers. Raises what `Exchange.exchange` raises, but NoAnswer."""
    try:
        reply = session.exchange(session.filled(batch.request, numbers), batch.request)
    except NoAnswer:
        return {number: session.temporary() for number in numbers}
    return answers_in(session, batch, numbers, reply)


def answers_in(session: Exchange, batch: Batch, numbers: Sequence[str], reply: SourceResponse) -> Mapping[str, Answer]:
    """Each number's answer out of the answer for all of them."""
    if refused := about_all(session, numbers, reply):
        return refused
    try:
        items = search(batch.items, reply.json)
    except UnreadableResponse as error:
        return dict.fromkeys(numbers, session.unreadable(reply, str(error), len(numbers)))
    if not isinstance(items, list):
        return dict.fromkeys(numbers, session.unreadable(reply, f"no list at {batch.items}", len(numbers)))
    mine = by_number(items, batch.key, numbers)
    outcomes = session.recipe.outcomes
    return {
        number: session.answer(number, judge_item(mine[number], outcomes), reply, mine[number])
        if number in mine
        else session.temporary()
        for number in numbers
    }


def by_number(items: Sequence[Any], key: str, numbers: Sequence[str]) -> dict[str, Any]:
    """Each asked number's first item, whichever form of the number the item names. A form that two of the asked
    numbers share, such as the national one of two countries, names neither."""
    names: dict[str, str | None] = {}
    for number in numbers:
        forms = forms_of(number)
        for text in {forms[form] for form in FORMS if form != "country_code"}:
            names[text] = number if text not in names else None
    found: dict[str, Any] = {}
    for item in items:
        said = search(key, item)
        about = names.get(plain(said).strip()) if said is not None else None
        if about is not None:
            found.setdefault(about, item)
    return found


def about_all(session: Exchange, numbers: Sequence[str], reply: SourceResponse) -> Mapping[str, Answer] | None:
    """The answers when the reply is none for single numbers: too many requests, an error, a refusal."""
    verdict = judge_whole(reply, session.recipe.outcomes)
    if verdict == Verdict.OK:
        return None
    if verdict in (Verdict.UNREADABLE, Verdict.NOT_FOUND):
        return dict.fromkeys(numbers, session.unreadable(reply, f"status {reply.status}", len(numbers)))
    if verdict == Verdict.REJECTED:
        verdict = Verdict.UNSURE
    return {number: session.answer(number, verdict, reply) for number in numbers}

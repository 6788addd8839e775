"""Many numbers in one request, answered at once: matches each item of the response to its number.

An item about a number that was not requested is ignored; a number without an item is looked up again. Batches that are
answered later are in `async_batch`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from portal.sources.base import Answer, LookupEnded
from portal.sources.http.classify import Verdict, classify_item, classify_whole, search
from portal.sources.http.client import NoResponse
from portal.sources.http.exchange import Exchange
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import Batch
from portal.sources.recipes.placeholders import FORMS, forms_of
from portal.sources.recipes.toml_table import plain


def lookup_batch(session: Exchange, batch: Batch, numbers: Sequence[str]) -> Mapping[str, Answer]:
    """The answers for these numbers, by number. Raises what `Exchange.exchange` raises, except NoResponse."""
    try:
        response = session.exchange(session.filled(batch.request, numbers), batch.request)
    except NoResponse:
        return {number: session.temporary() for number in numbers}
    return answers_in(session, batch, numbers, response)


def answers_in(
    session: Exchange, batch: Batch, numbers: Sequence[str], response: SourceResponse
) -> Mapping[str, Answer]:
    """Each number's answer from the response about all of them. What one item says about all is raised with the
    answers of all others."""
    if same_for_all := answers_for_all(session, numbers, response):
        return same_for_all
    try:
        items = search(batch.items, response.json)
    except UnreadableResponse as error:
        return dict.fromkeys(numbers, session.unreadable(response, str(error), len(numbers)))
    if not isinstance(items, list):
        return dict.fromkeys(numbers, session.unreadable(response, f"no list at {batch.items}", len(numbers)))
    item_of = by_number(items, batch.key, numbers)
    outcomes = session.recipe.outcomes
    answers: dict[str, Answer] = {}
    ended: LookupEnded | None = None
    for number in numbers:
        try:
            if number in item_of:
                item = item_of[number]
                answers[number] = session.answer(number, classify_item(item, outcomes), response, item)
            else:
                answers[number] = session.temporary()
        except LookupEnded as error:  # the other items are here and paid for: what they say counts all the same
            ended = ended or error
    if ended:
        raise ended.with_answers(answers)
    return answers


def by_number(items: Sequence[Any], key: str, numbers: Sequence[str]) -> dict[str, Any]:
    """The first item about each requested number, in whichever form the item writes the number.

    `key` is the JMESPath to the number within an item. A form that two requested numbers share, such as the national
    one of two countries, identifies neither.
    """
    number_of: dict[str, str | None] = {}
    for number in numbers:
        forms = forms_of(number)
        for text in {forms[form] for form in FORMS if form != "country_code"}:
            number_of[text] = number if text not in number_of else None
    found: dict[str, Any] = {}
    for item in items:
        written = search(key, item)
        requested = number_of.get(plain(written).strip()) if written is not None else None
        if requested is not None:
            found.setdefault(requested, item)
    return found


def answers_for_all(session: Exchange, numbers: Sequence[str], response: SourceResponse) -> Mapping[str, Answer] | None:
    """The answers when the response concerns all numbers (too many requests, an error, a refusal); None when each
    number has its own."""
    verdict = classify_whole(response, session.recipe.outcomes)
    if verdict == Verdict.OK:
        return None
    if verdict in (Verdict.UNREADABLE, Verdict.NOT_FOUND):
        return dict.fromkeys(numbers, session.unreadable(response, f"status {response.status}", len(numbers)))
    if verdict == Verdict.REJECTED:
        verdict = Verdict.UNSURE
    return {number: session.answer(number, verdict, response) for number in numbers}

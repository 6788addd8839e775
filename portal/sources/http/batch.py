"""Many numbers in one request, answered at once: matches each item of the response to its number.

An item about a number that was not requested is ignored; a number without an item is looked up again, or is what the
recipe says of it. Batches that are answered later are in `async_batch`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portal.sources.base import Answer, LookupEnded
from portal.sources.http.classify import Verdict, classify_item, classify_whole, search, why_unreadable
from portal.sources.http.client import NoResponse
from portal.sources.http.exchange import Exchange
from portal.sources.http.number_keys import NumberKeys
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.filling import each_of
from portal.sources.recipes.model import EACH, MAP, Batch
from portal.sources.recipes.toml_table import plain

MISSING = {"not_found": Verdict.NOT_FOUND, "rejected": Verdict.REJECTED}  # by `missing` of the recipe


def lookup_batch(session: Exchange, batch: Batch, numbers: Sequence[str]) -> Mapping[str, Answer]:
    """The answers for these numbers, by number. Raises what `Exchange.exchange` raises, except NoResponse."""
    try:
        response = session.ask(batch.request, numbers)
    except NoResponse as error:
        return {number: session.temporary(unsure=error.may_have_come) for number in numbers}
    return answers_in(session, batch, numbers, response)


def answers_in(
    session: Exchange, batch: Batch, numbers: Sequence[str], response: SourceResponse
) -> Mapping[str, Answer]:
    """Each number's answer from the response about all of them. What one item says about all is raised with the
    answers of all others."""
    if same_for_all := answers_for_all(session, numbers, response):
        return same_for_all
    try:
        items = items_in(batch.items, response.content)
    except UnreadableResponse as error:
        return dict.fromkeys(numbers, session.unreadable(response, str(error), len(numbers)))
    if not isinstance(items, list):
        return dict.fromkeys(numbers, session.unreadable(response, f"no list at {batch.items}", len(numbers)))
    item_of, fits_all = by_number(items, batch, numbers)
    if items and not item_of:
        why = f"none of the numbers at {batch.key}"
        return dict.fromkeys(numbers, session.unreadable(response, why, len(numbers), stops=True))
    outcomes = session.recipe.outcomes
    answers: dict[str, Answer] = {}
    ended: LookupEnded | None = None
    for number in numbers:
        try:
            if number in item_of:
                item = item_of[number]
                answers[number] = session.answer(number, classify_item(item, outcomes), response, item)
            elif fits_all and batch.missing in MISSING:
                answers[number] = session.answer(number, MISSING[batch.missing], response)
            else:
                answers[number] = session.temporary()
        except LookupEnded as error:  # the other items are here and paid for: what they say counts all the same
            ended = ended or error
    if ended:
        raise ended.with_answers(answers)
    return answers


def items_in(path: str, content: Any) -> Any:
    """What `items` of a recipe finds; of an object with a member for each number, items with `key` and `value`."""
    if not path.startswith(MAP):
        return search(path, content)
    members = search(path.removeprefix(MAP).strip() or "@", content)
    if not isinstance(members, dict):
        return None
    return [{"key": name, "value": value} for name, value in members.items()]


def by_number(items: Sequence[Any], batch: Batch, numbers: Sequence[str]) -> tuple[dict[str, Any], bool]:
    """The first item about each requested number, in whichever form the item writes the number; and whether every item
    is about one of them. Where one is not, a number without an item may be the one that could not be recognised.

    `batch.key` is the JMESPath to the number within an item; after EACH, to the number as `each` writes it.
    """
    key = batch.key
    find: Callable[[Any], str | None] = NumberKeys(numbers).find
    if key.startswith(EACH):
        key = key.removeprefix(EACH).strip() or ("key" if batch.items.startswith(MAP) else "@")
        find = _finder_of_written(batch.each or (batch.file.each if batch.file else ""), numbers)
    found: dict[str, Any] = {}
    fits_all = True
    for item in items:
        requested = find(search(key, item))
        fits_all &= requested is not None
        if requested is not None:
            found.setdefault(requested, item)
    return found, fits_all


def _finder_of_written(each: str, numbers: Sequence[str]) -> Callable[[Any], str | None]:
    """Finds a number by what was sent for it, in capitals or not. What two numbers share finds neither."""
    written: dict[str, str | None] = {}
    for number in numbers:
        text = each_of(each, number).lower()
        written[text] = number if text not in written else None

    def find(value: Any) -> str | None:
        is_scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
        return written.get(plain(value).strip().lower()) if is_scalar else None

    return find


def answers_for_all(session: Exchange, numbers: Sequence[str], response: SourceResponse) -> Mapping[str, Answer] | None:
    """The answers when the response concerns all numbers (too many requests, an error, a refusal); None when each
    number has its own."""
    verdict = Verdict(response.verdict or classify_whole(response, session.recipe.outcomes))
    if verdict == Verdict.OK:
        return None
    if verdict == Verdict.UNREADABLE:
        return dict.fromkeys(numbers, session.unreadable(response, why_unreadable(response), len(numbers)))
    if verdict == Verdict.REJECTED:
        verdict = Verdict.UNSURE
    return {number: session.answer(number, verdict, response) for number in numbers}

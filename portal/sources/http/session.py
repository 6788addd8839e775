"""One attempt's session with a source: sends requests within the rate limit, turns responses into answers, and decides
what a response means for all numbers.

A problem of one number is an Answer; a problem of all numbers is raised as SourceBusy or SourceStopped. Never repeats a
lookup: the reason of an Answer says whether the attempt should look the number up again (`asks_again`).
"""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from portal.causes import REFUSALS, CauseCode
from portal.sources.base import Answer, LookupEnded, Outcome, SourceStopped, Tickets
from portal.sources.http.async_batch import AsyncBatches
from portal.sources.http.batch import lookup_batch
from portal.sources.http.classify import Verdict, any_holds, why_unreadable
from portal.sources.http.client import NoResponse, RequestInterrupted
from portal.sources.http.disguised import refusal_in
from portal.sources.http.extract import FieldMissing, extract_fields
from portal.sources.http.pricing import amount_at, price_of
from portal.sources.http.recipe_doubts import RecipeDoubts
from portal.sources.http.request_sender import RequestSender
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.limits.balance import BalanceNote
from portal.sources.recipes.coverage import is_covered

log = structlog.get_logger(__name__)

BARE = (404, 410)


class SourceSession(RequestSender):
    """See the module. Its methods may be called from many threads at once."""

    def __init__(self, *parts: Any, tickets: Tickets, balance: BalanceNote | None = None, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._lock = threading.Lock()
        self._refused_for: dict[str, Verdict] = {}
        self._doubts = RecipeDoubts()
        self._costs: dict[str, int] = {}  # of numbers that are asked about again: what they have cost so far
        self._balance = balance
        self._low_credit = False
        batch = self.recipe.batch
        self._async_batches = AsyncBatches(batch, batch.poll, tickets) if batch and batch.poll else None

    @property
    def refused_numbers(self) -> Mapping[str, str]:
        """The numbers for which the source refused us, so that it may refuse them alone, and as what."""
        with self._lock:
            return {number: verdict.value for number, verdict in self._refused_for.items()}

    def remember_blocked(self, numbers: Iterable[str], *, answers_others: bool) -> None:
        """Take over numbers of an earlier session for which the source answered as to a portal that it blocks.
        `answers_others`: since then the source has answered for other numbers."""
        numbers = set(numbers)
        self._doubted.update(numbers)
        self._refusals.remember(((number,) for number in numbers), own=answers_others)

    def doubt_not_found(self, *, has_found_before: bool) -> None:
        """Believe a 404 that no rule of the recipe is about only once the source has answered otherwise: until then it
        may be a wrong address. `has_found_before`: this source has found something in an earlier file."""
        self._doubts.doubt_not_found(has_found_before)

    def lookup_many(self, numbers: Sequence[str]) -> Mapping[str, Answer]:
        """The answers for one call's numbers. A number that is missing was not looked up: the attempt was stopped."""
        only = self.recipe.only
        not_covered = [one for one in numbers if only and not is_covered(one, only)]
        answers = {one: Answer(Outcome.REJECTED, reason=CauseCode.NOT_COVERED) for one in not_covered}
        asked = [one for one in numbers if one not in answers] if answers else numbers
        if asked:
            try:
                answers.update(self._lookup_many(asked))
            except LookupEnded as ended:
                raise ended.with_answers(answers) from None
        if self._low_credit and asked:
            self._breaker.note_secret(self._secrets.mark)
            self._gate.close(SourceStopped(Verdict.NO_CREDIT.value))
            self._breaker.trip(Verdict.NO_CREDIT.value)
            raise SourceStopped(Verdict.NO_CREDIT.value, answers)
        return answers

    def _lookup_many(self, numbers: Sequence[str]) -> Mapping[str, Answer]:
        try:
            if self._async_batches:
                return self._async_batches.lookup_many(self, numbers)
            if self.recipe.batch:
                return lookup_batch(self, self.recipe.batch, numbers)
        except RequestInterrupted:
            return {}
        answers: dict[str, Answer] = {}
        for number in numbers:
            try:
                answers[number] = self._lookup(number)
            except RequestInterrupted:
                break
            except LookupEnded as ended:
                raise ended.with_answers(answers) from None
        return answers

    def _lookup(self, number: str) -> Answer:
        try:
            response = self.ask(self.recipe.request, [number])
        except NoResponse as error:
            return self.temporary(unsure=error.may_have_come)
        return self.answer(number, Verdict(response.verdict), response)

    def _consider_refusal(self, verdict: Verdict, about: tuple[str, ...], response: SourceResponse) -> None:
        if len(about) == 1:  # of several, the one at fault is unknown
            with self._lock:
                self._refused_for.update(dict.fromkeys(about, verdict))
        super()._consider_refusal(verdict, about, response)

    def _refused(self, number: str, verdict: Verdict, response: SourceResponse, content: Any) -> Answer:
        """The answer for a number that was refused. It is asked about once more, after all others: by then it is known
        whose fault it is. Raises SourceStopped when there was no other number to judge by."""
        about = response.about if content is None else (number,)
        if content is not None:  # found in one number's item; a whole response was considered when it came
            self._consider_refusal(verdict, about, response)
        with self._lock:
            first = number not in self._doubted
            self._doubted.add(number)
        if first:
            return Answer(Outcome.FAILED, reason=verdict.value)
        if not self._refusals.is_own(about):
            raise SourceStopped(verdict.value)
        if len(about) == 1:
            return Answer(Outcome.REJECTED, reason=CauseCode.REJECTED)
        return Answer(Outcome.FAILED, reason=CauseCode.SOURCE_ERROR)  # of many numbers, the one at fault is unknown

    def _answered(self, response: SourceResponse) -> None:
        """Note that the source has answered."""
        self._pace.note_answer()
        self._refusals.answered(response.sent_at)

    def temporary(self, *, unsure: bool = False) -> Answer:
        """The answer for a number that got none this time; `unsure`: it may cost something all the same. Raises
        SourceBusy when the source now counts as down."""
        self._breaker.check()
        return Answer(Outcome.FAILED, reason=CauseCode.TEMPORARY, unsure=unsure)

    def answer(self, number: str, verdict: Verdict, response: SourceResponse, content: Any = None) -> Answer:
        """One number's answer by its verdict, with what it cost. `content` is its item in a response about many."""
        answer = self._answer(number, verdict, response, content)
        cost = self.recipe.cost
        if cost is None:
            return answer
        if cost.balance and (left := amount_at(cost.balance, response)) is not None:
            if self._balance is not None:
                self._balance.note(left)
            self._low_credit |= cost.stop_below is not None and left < cost.stop_below
        price = price_of(cost, verdict, response, content, found=answer.outcome == Outcome.FOUND)
        with self._lock:
            price += self._costs.pop(number, 0)
            if price and answer.outcome == Outcome.FAILED:
                self._costs[number] = price
        return replace(answer, cost=price) if price else answer

    def _answer(self, number: str, verdict: Verdict, response: SourceResponse, content: Any) -> Answer:
        if verdict == Verdict.UNSURE:
            return self._doubts.bad_request(number)
        self._doubts.not_bad_request()
        if verdict == Verdict.LIMITED:
            if response.verdict != Verdict.LIMITED:  # found in one number's item: slow down once for each response
                response.verdict = Verdict.LIMITED
                self._pace.slow_down(response, content)
            return Answer(Outcome.FAILED, reason=CauseCode.RATE_LIMITED)
        if verdict == Verdict.TEMPORARY:
            return self.temporary()
        if verdict in REFUSALS:
            return self._refused(number, verdict, response, content)
        if verdict == Verdict.REJECTED:
            self._answered(response)
            return Answer(Outcome.REJECTED, reason=CauseCode.REJECTED)
        if verdict == Verdict.NOT_FOUND:
            self._answered(response)
            if content is None and self._is_bare(response):
                return self._doubts.bare_not_found(number)
            self._doubts.readable()
            return Answer(Outcome.NOT_FOUND)
        fields: dict[str, str] = {}
        try:
            if verdict == Verdict.UNREADABLE:
                raise UnreadableResponse(why_unreadable(response))
            fields = extract_fields(self.recipe.fields, response.content if content is None else content)
            if not fields:
                raise UnreadableResponse("no field at all")
        except (UnreadableResponse, FieldMissing) as error:
            why = f"no field {error}" if isinstance(error, FieldMissing) else str(error)
            return self._without_fields(number, response, why, content)
        self._answered(response)
        self._doubts.readable()
        return Answer(Outcome.FOUND, fields)

    def _without_fields(self, number: str, response: SourceResponse, why: str, content: Any) -> Answer:
        """The answer for a response without the fields: it may be a refusal that is sent as if it were an answer."""
        meaning = refusal_in(response.text if content is None else json.dumps(content, ensure_ascii=False))
        if meaning is None:
            return self.unreadable(response, why, number=number, content=content)
        if meaning == CauseCode.RATE_LIMITED:
            self._pace.slow_down(response)
            return Answer(Outcome.FAILED, reason=meaning)
        if content is None:
            self._consider_refusal(Verdict(meaning), response.about, response)
        return self._refused(number, Verdict(meaning), response, content)

    def unreadable(
        self,
        response: SourceResponse,
        why: str,
        rows: int = 1,
        number: str = "",
        content: Any = None,
        *,
        stops: bool = False,
    ) -> Answer:
        """The answer for numbers whose response cannot be used. Raises SourceStopped when there are too many: the page
        has changed, or the recipe never fitted. `number`: the only one that the response is about; `content`: its item
        in a response about many; `stops`: the next ones would cost as much and be no better."""
        if self.samples.add(response, why, number, content):
            log.warning("answer not usable", source=self.recipe.name, why=why, status=response.status)
        try:
            return self._doubts.unreadable(rows, stops=stops)
        except SourceStopped as ended:
            if stops:
                self._gate.close(ended)
            raise

    def _is_bare(self, response: SourceResponse) -> bool:
        """Whether a 404 may come from a wrong address as well."""
        if not self._doubts.doubts_not_found or response.status not in BARE:
            return False
        return not any_holds(self.recipe.outcomes.get("not_found", ()), response)

"""Looks up one number for real and records everything that was sent and received, with every secret masked.

Takes little more than TRY_SECONDS, whatever the recipe allows, as a person is waiting for it.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from portal.causes import CauseCode
from portal.sources import catalogue, registry
from portal.sources.base import Answer, NoTickets, Outcome, SourceBusy, SourceStopped
from portal.sources.http.clean import without_tokens
from portal.sources.http.client import NoResponse, SourceClient
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.filling import FilledRequest
from portal.sources.recipes.model import Recipe, Request
from portal.sources.recipes.placeholders import masked

SHOWN_CHARACTERS = 4000
TRY_SECONDS = 20.0


@dataclass(frozen=True)
class ShownExchange:
    """One request and its response, safe to show. `status` is None when no response came."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str
    status: int | None
    answer_headers: tuple[tuple[str, str], ...] = ()
    answer_body: str = ""
    seconds: float = 0.0


@dataclass
class Trial:
    """One try. `answer` is None when the source is stopped or busy; `reason` then says why. `late`: the time was up.
    `held`: the breaker or the rate limiter let no request through, so none was sent; `reason` says why."""

    number: str
    exchanges: list[ShownExchange] = field(default_factory=list)
    answer: Answer | None = None
    reason: str | None = None
    late: bool = False
    held: bool = False
    why: str = ""  # why the answer could not be used, as `words.sample_words` knows it
    # what it cost in billionths, and whether it may have cost something although no answer came
    cost: int = 0
    unsure: bool = False
    currency: str = ""


class RecordingClient(SourceClient):
    """Sends through another client and records each exchange: the request, its response or None, and the seconds; and
    of which part of the recipe it is, in `parts`."""

    def __init__(self, client: SourceClient) -> None:
        self._client = client
        self.exchanges: list[tuple[FilledRequest, SourceResponse | None, float]] = []
        self.parts: list[Request] = []

    def send(self, filled: FilledRequest, request: Request) -> SourceResponse:
        started = time.monotonic()
        self.parts.append(request)
        try:
            response = self._client.send(filled, request)
        except NoResponse:
            self.exchanges.append((filled, None, time.monotonic() - started))
            raise
        self.exchanges.append((filled, response, time.monotonic() - started))
        return response


def try_source(name: str, number: str) -> Trial:
    """Look up one number (E.164) at the source with this name. Raises UnknownSource."""
    recipe = next((one.offered for one in catalogue.recipe_files() if one.usable and one.name == name), None)
    if recipe is not None:
        catalogue.notice_new_secrets(name)
        return try_number(recipe, number)
    answer = registry.get(name).lookup(number)
    return Trial(number, answer=answer, reason=answer.reason, cost=answer.cost, unsure=answer.unsure)


def try_number(recipe: Recipe, number: str, seconds: float = TRY_SECONDS) -> Trial:
    """Look up one number (E.164), within the source's rate limit and through its breaker."""
    trial = Trial(number)
    recipe = with_time_limit(recipe, seconds)
    source = catalogue.make(recipe)
    recorders: list[RecordingClient] = []

    def record(client: SourceClient) -> SourceClient:
        recorders.append(RecordingClient(client))
        return recorders[0]

    source.wrap_client(record)
    until = time.monotonic() + seconds
    session = source.open_session(lambda: time.monotonic() > until, NoTickets())
    try:
        with closing(session):
            answers = session.lookup_many([number])
        trial.answer = answers.get(number) or Answer(Outcome.FAILED, reason=CauseCode.TEMPORARY)
        trial.reason, trial.cost, trial.unsure = trial.answer.reason, trial.answer.cost, trial.answer.unsure
    except (SourceBusy, SourceStopped) as error:
        trial.reason = error.reason
        known = error.answers.get(number)
        trial.cost, trial.unsure = (known.cost, known.unsure) if known else (0, False)
        trial.held = isinstance(error, SourceBusy) and not recorders[0].exchanges
    # Masked at the end: a token that the source gave is known only after the exchange in which it did.
    trial.exchanges = [shown(*one, session.samples.masks) for one in recorders[0].exchanges]
    logins = logins_of(recipe)
    for place, part in enumerate(recorders[0].parts):
        if part in logins:  # whose token may be where the recipe does not look for it
            trial.exchanges[place] = _as_login(trial.exchanges[place])
    trial.why = next((sample.why for sample in session.samples.since(0)), "")
    trial.late = time.monotonic() > until
    if not trial.cost and (trial.answer is None or trial.answer.outcome == Outcome.FAILED):
        trial.unsure |= any(one.status is None for one in trial.exchanges) or (trial.late and bool(trial.exchanges))
    return trial


def to_dict(trial: Trial) -> dict[str, Any]:
    """A try as values that JSON can store."""
    answer = trial.answer and {"outcome": trial.answer.outcome, "fields": dict(trial.answer.fields)}
    exchanges = [asdict(exchange) for exchange in trial.exchanges]
    return {
        "number": trial.number, "reason": trial.reason, "late": trial.late, "held": trial.held,
        "why": trial.why, "answer": answer, "exchanges": exchanges,
        "cost": trial.cost, "unsure": trial.unsure, "currency": trial.currency,
    }  # fmt: skip


def from_dict(plain: Mapping[str, Any]) -> Trial:
    """The try that `to_dict` stored."""
    stored = plain["answer"]
    answer = Answer(Outcome(stored["outcome"]), stored["fields"], plain["reason"]) if stored else None
    exchanges = [ShownExchange(**exchange) for exchange in plain["exchanges"]]
    return Trial(
        plain["number"],
        exchanges,
        answer,
        plain["reason"],
        plain["late"],
        plain.get("held", False),
        plain.get("why", ""),
        plain.get("cost", 0),
        plain.get("unsure", False),
        plain.get("currency", ""),
    )


def with_time_limit(recipe: Recipe, seconds: float) -> Recipe:
    """The recipe with every wait in it cut to so many seconds."""

    def limited(request: Request) -> Request:
        return replace(request, timeout_seconds=min(request.timeout_seconds, seconds))

    batch = recipe.batch
    if batch is not None:
        poll = batch.poll and replace(batch.poll, limit_seconds=min(batch.poll.limit_seconds, seconds))
        batch = replace(batch, request=limited(batch.request), poll=poll)
    before = tuple(replace(one, request=limited(one.request)) for one in recipe.before)
    return replace(recipe, request=limited(recipe.request), batch=batch, before=before)


def logins_of(recipe: Recipe) -> list[Request]:
    """The requests whose answers are secrets: those that are kept for all workers."""
    return [one.request for one in recipe.before if one.is_kept]


def _as_login(exchange: ShownExchange) -> ShownExchange:
    headers = tuple((name, without_tokens(text)) for name, text in exchange.answer_headers)
    return replace(exchange, answer_headers=headers, answer_body=without_tokens(exchange.answer_body))


def shown(
    filled: FilledRequest, response: SourceResponse | None, seconds: float, masks: Sequence[str]
) -> ShownExchange:
    def hide(text: str) -> str:
        return masked(text, {*filled.secrets, *masks})

    return ShownExchange(
        method=filled.method,
        url=hide(filled.url),
        headers=tuple((name, hide(text)) for name, text in filled.headers.items()),
        body=hide((filled.body or b"").decode(errors="replace"))[:SHOWN_CHARACTERS],
        status=response.status if response else None,
        answer_headers=tuple((name, hide(text)) for name, text in response.headers.items()) if response else (),
        answer_body=hide(_pretty(response))[:SHOWN_CHARACTERS] if response else "",
        seconds=seconds,
    )


def _pretty(response: SourceResponse) -> str:
    if "json" in response.headers.get("content-type", ""):
        try:
            return json.dumps(json.loads(response.body), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return response.text

"""One number asked for real, with all that went out and came back, to look at. Every secret is blanked out.

It takes TRY_SECONDS and not much longer, whatever the recipe allows: somebody is waiting for it.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from portal.causes import CauseCode
from portal.sources import catalogue, registry
from portal.sources.base import Answer, NoTickets, Outcome, SourceBusy, SourceStopped
from portal.sources.http.client import NoAnswer, SourceClient
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.model import Recipe, Request
from portal.sources.recipes.placeholders import Filled, masked

SHOWN_CHARACTERS = 4000
TRY_SECONDS = 20.0


@dataclass(frozen=True)
class ShownExchange:
    """What was sent and what came, as it may be shown. `status` is None when no answer came."""

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
    """One try. `answer` is None when the source stopped or is busy; `reason` then says why. `late`: time was up.
    `held`: nothing was sent, as the breaker or the pace lets nobody ask just now; `reason` says why."""

    number: str
    exchanges: list[ShownExchange] = field(default_factory=list)
    answer: Answer | None = None
    reason: str | None = None
    late: bool = False
    held: bool = False


class _Watched(SourceClient):
    """Sends by another Asker and keeps what it sees."""

    def __init__(self, asker: SourceClient, trial: Trial) -> None:
        self._asker, self._trial = asker, trial

    def send(self, filled: Filled, request: Request) -> SourceResponse:
        begun = time.monotonic()
        try:
            reply = self._asker.send(filled, request)
        except NoAnswer:
            self._trial.exchanges.append(_shown(filled, None, time.monotonic() - begun))
            raise
        self._trial.exchanges.append(_shown(filled, reply, time.monotonic() - begun))
        return reply


def try_source(name: str, number: str) -> Trial:
    """Ask a source by its name for one number (E.164). Raises UnknownSource."""
    recipe = next((one.serves for one in catalogue.found() if one.usable and one.name == name), None)
    if recipe is not None:
        return try_number(recipe, number)
    answer = registry.get(name).lookup(number)
    return Trial(number, answer=answer, reason=answer.reason)


def try_number(recipe: Recipe, number: str, seconds: float = TRY_SECONDS) -> Trial:
    """Ask for one number (E.164), in the source's pace and through its breaker."""
    trial = Trial(number)
    source = catalogue.make(_hurried(recipe, seconds))
    source.watch(lambda asker: _Watched(asker, trial))
    until = time.monotonic() + seconds
    try:
        answers = source.begin(lambda: time.monotonic() > until, NoTickets()).lookup_many([number])
        trial.answer = answers.get(number) or Answer(Outcome.FAILED, reason=CauseCode.TEMPORARY)
        trial.reason = trial.answer.reason
    except (SourceBusy, SourceStopped) as error:
        trial.reason = error.reason
        trial.held = isinstance(error, SourceBusy) and not trial.exchanges
    trial.late = time.monotonic() > until
    return trial


def as_plain(trial: Trial) -> dict[str, Any]:
    """A try as JSON can hold it."""
    answer = trial.answer and {"outcome": trial.answer.outcome, "fields": dict(trial.answer.fields)}
    exchanges = [asdict(exchange) for exchange in trial.exchanges]
    return {
        "number": trial.number, "reason": trial.reason, "late": trial.late, "held": trial.held,
        "answer": answer, "exchanges": exchanges,
    }  # fmt: skip


def from_plain(plain: Mapping[str, Any]) -> Trial:
    """The same try again."""
    said = plain["answer"]
    answer = Answer(Outcome(said["outcome"]), said["fields"], plain["reason"]) if said else None
    exchanges = [ShownExchange(**exchange) for exchange in plain["exchanges"]]
    return Trial(plain["number"], exchanges, answer, plain["reason"], plain["late"], plain.get("held", False))


def _hurried(recipe: Recipe, seconds: float) -> Recipe:
    """The recipe with no wait in it longer than so many seconds."""

    def request(slow: Request) -> Request:
        return replace(slow, timeout_seconds=min(slow.timeout_seconds, seconds))

    batch = recipe.batch
    if batch is not None:
        poll = batch.poll and replace(batch.poll, limit_seconds=min(batch.poll.limit_seconds, seconds))
        batch = replace(batch, request=request(batch.request), poll=poll)
    return replace(recipe, request=request(recipe.request), batch=batch)


def _shown(filled: Filled, reply: SourceResponse | None, seconds: float) -> ShownExchange:
    def hide(text: str) -> str:
        return masked(text, filled.secrets)

    return ShownExchange(
        method=filled.method,
        url=hide(filled.url),
        headers=tuple((name, hide(text)) for name, text in filled.headers.items()),
        body=hide((filled.body or b"").decode(errors="replace"))[:SHOWN_CHARACTERS],
        status=reply.status if reply else None,
        answer_headers=tuple((name, hide(text)) for name, text in reply.headers.items()) if reply else (),
        answer_body=hide(_pretty(reply))[:SHOWN_CHARACTERS] if reply else "",
        seconds=seconds,
    )


def _pretty(reply: SourceResponse) -> str:
    if "json" in reply.headers.get("content-type", ""):
        try:
            return json.dumps(json.loads(reply.body), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return reply.text

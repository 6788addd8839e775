"""One number asked for real, with all that went out and came back, to look at. Every secret is blanked out."""

import json
import time
from dataclasses import dataclass, field

from portal.sources import offering
from portal.sources.asking import Asker, NoAnswer
from portal.sources.base import Answer, SourceBusy, SourceStopped
from portal.sources.filling import Filled, masked
from portal.sources.recipe import Recipe, Request
from portal.sources.reply import Reply

SHOWN_CHARACTERS = 4000


@dataclass(frozen=True)
class Exchange:
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
    """One try. `answer` is None when the source stopped or is busy; `reason` then says why."""

    number: str
    exchanges: list[Exchange] = field(default_factory=list)
    answer: Answer | None = None
    reason: str | None = None


class _Watched(Asker):
    """Sends by another Asker and keeps what it sees."""

    def __init__(self, asker: Asker, trial: Trial) -> None:
        self._asker, self._trial = asker, trial

    def send(self, filled: Filled, request: Request) -> Reply:
        begun = time.monotonic()
        try:
            reply = self._asker.send(filled, request)
        except NoAnswer:
            self._trial.exchanges.append(_shown(filled, None, time.monotonic() - begun))
            raise
        self._trial.exchanges.append(_shown(filled, reply, time.monotonic() - begun))
        return reply


def try_number(recipe: Recipe, number: str) -> Trial:
    """Ask for one number (E.164), in the source's pace and through its breaker."""
    trial = Trial(number)
    source = offering.make(recipe)
    source.watch(lambda asker: _Watched(asker, trial))
    try:
        trial.answer = source.lookup(number)
        trial.reason = trial.answer.reason
    except (SourceBusy, SourceStopped) as error:
        trial.reason = error.reason
    return trial


def _shown(filled: Filled, reply: Reply | None, seconds: float) -> Exchange:
    def hide(text: str) -> str:
        return masked(text, filled.secrets)

    return Exchange(
        method=filled.method,
        url=hide(filled.url),
        headers=tuple((name, hide(text)) for name, text in filled.headers.items()),
        body=hide((filled.body or b"").decode(errors="replace"))[:SHOWN_CHARACTERS],
        status=reply.status if reply else None,
        answer_headers=tuple((name, hide(text)) for name, text in reply.headers.items()) if reply else (),
        answer_body=hide(_pretty(reply))[:SHOWN_CHARACTERS] if reply else "",
        seconds=seconds,
    )


def _pretty(reply: Reply) -> str:
    if "json" in reply.headers.get("content-type", ""):
        try:
            return json.dumps(json.loads(reply.body), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return reply.text

"""Asks a recipe that is being written for one number, and gives the answer as it came, with every secret masked.

The request goes the way of every other: within the rate limit, through the guard against addresses inside the network.
Only the breaker is left out, as a recipe that nobody uses yet has no other files to protect.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import quote, quote_plus

from portal.causes import CauseCode
from portal.sources import catalogue
from portal.sources.base import NoTickets, SourceBusy, SourceStopped
from portal.sources.editor.login_outline import outline_of, written
from portal.sources.http.clean import clean_text, without_tokens
from portal.sources.http.client import NoResponse, SourceClient
from portal.sources.http.response import SourceResponse
from portal.sources.limits.interfaces import Breaker
from portal.sources.recipes.filling import FilledRequest
from portal.sources.recipes.model import Recipe, Request
from portal.sources.recipes.placeholders import SHORTEST, in_json, in_xml
from portal.sources.trial import TRY_SECONDS, RecordingClient, ShownExchange, logins_of, shown, with_time_limit

KEPT_BYTES = 1_000_000
MASK = b"***"
KEPT_HEADERS = ("content-type", "content-encoding", "retry-after", "location", "server")


@dataclass
class SampleResult:
    """One answer. `status` is None when none came; `reason` then says why. `body` is cut at KEPT_BYTES."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = True
    seconds: float = 0.0
    reason: str = ""
    sent: ShownExchange | None = None
    is_asked: bool = True  # whether the lookup itself was sent, and not only what comes before it
    booked: dict[str, Any] = field(default_factory=dict)  # what it cost, and where that is counted

    @property
    def facts(self) -> dict[str, Any]:
        """All but the body, as values that JSON can store."""
        return {
            "status": self.status, "headers": dict(self.headers), "is_whole": self.is_whole, "seconds": self.seconds,
            "reason": self.reason, "is_asked": self.is_asked, "sent": asdict(self.sent) if self.sent else None,
        }  # fmt: skip


class _NeverOpen:
    """A breaker that lets everything through."""

    def check(self) -> None: ...
    def succeeded(self, *, answers: bool = False) -> None: ...
    def failed(self) -> None: ...
    def refused(self) -> None: ...
    def trip(self, reason: str) -> None: ...
    def note_secret(self, mark: str) -> bool:
        return True


class _FirstOnly(RecordingClient):
    """Sends one request and no other."""

    def send(self, filled: FilledRequest, request: Request) -> SourceResponse:
        if self.exchanges:
            raise NoResponse("one request is enough", may_have_come=False)
        return super().send(filled, request)


def ask_once(
    recipe: Recipe,
    number: str,
    *,
    spoilt: bool = False,
    signs_in: bool = False,
    seconds: float = TRY_SECONDS,
) -> SampleResult:
    """Ask for one number (E.164). `spoilt`: with wrong values in place of the recipe's secrets; `signs_in`: only the
    recipe's first request before, without the lookup, and of its answer only the outline."""
    if signs_in and recipe.before:  # sent also where what it took is still kept
        recipe = replace(recipe, before=(replace(recipe.before[0], keep_seconds=None, keep_path=""),))
    wrong = {name: _spoilt(value) for name, value in catalogue.present_secrets().items() if name in recipe.secrets}
    parts: dict[str, Any] = {"environ": wrong, "present_secrets": lambda: wrong} if spoilt else {}
    breaker: Breaker = _NeverOpen()
    recipe = with_time_limit(recipe, seconds)
    source = catalogue.make(recipe, breaker=breaker, **parts)
    recorders: list[RecordingClient] = []

    def record(client: SourceClient) -> SourceClient:
        recorders.append((_FirstOnly if signs_in else RecordingClient)(client))
        return recorders[0]

    source.wrap_client(record)
    until = time.monotonic() + seconds
    session = source.open_session(lambda: time.monotonic() > until, NoTickets())
    reason = ""
    with closing(session):
        try:
            session.lookup_many([number])
        except (SourceBusy, SourceStopped) as error:
            reason = str(error.reason)
    client, reason = recorders[0], reason or CauseCode.TEMPORARY
    is_login = bool(client.parts) and client.parts[-1] in logins_of(recipe)
    if not client.exchanges or (is_login and not spoilt and not signs_in):
        return SampleResult(reason=reason, is_asked=False)  # the answer of a login is nobody's
    found = _last(client, session.samples.masks, reason, signs_in=signs_in)
    if is_login and found.status is not None:  # that says how the source refuses a wrong key
        found.is_asked, found.body = False, without_tokens(found.body.decode(errors="replace")).encode()
    return found


def _last(client: RecordingClient, masks: Iterable[str], reason: str, *, signs_in: bool) -> SampleResult:
    """What came of the last request that was sent; `reason` says why nothing did."""
    filled, response, took = client.exchanges[-1]
    masks = {*filled.secrets, *masks}
    sent = shown(filled, response, took, tuple(masks))
    if response is None:
        return SampleResult(seconds=took, reason=reason, sent=sent)
    asked = replace(sent, answer_headers=(), answer_body="")  # which are kept apart
    headers = {name: clean_text(text)[:500] for name, text in sent.answer_headers if name in KEPT_HEADERS}
    body = written(outline_of(response)) if signs_in else _without(response.body, masks)
    is_whole = response.whole and len(body) <= KEPT_BYTES
    return SampleResult(response.status, headers, body[:KEPT_BYTES], is_whole, took, sent=asked)


def _spoilt(value: str) -> str:
    """A wrong value of the same length and look."""
    turned = {"a": "b", "A": "B", "0": "1"}
    last = "".join(
        turned.get(one, "a" if one.islower() else "A" if one.isupper() else "0" if one.isdigit() else one)
        for one in value[-6:]
    )
    return value[:-6] + last if last != value[-6:] else f"x{value[1:]}"


def _without(body: bytes, secrets: set[str]) -> bytes:
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            for form in {secret, quote(secret, safe=""), quote_plus(secret), in_json(secret), in_xml(secret)}:
                body = body.replace(form.encode(), MASK)
    return body

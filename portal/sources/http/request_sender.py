"""Sends the requests of one attempt: fills them in, sends what has to be sent before, waits for its turn, and applies
what a response means for all numbers: the breaker, the pace, a refusal.

Gives no answers: `session` does, and has the doubts about the recipe.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn
from urllib.parse import urlsplit

from portal.causes import REFUSALS, CauseCode
from portal.sources.base import NoteSent, SourceStopped, always
from portal.sources.http.answer_samples import Samples
from portal.sources.http.before_requests import BeforeRequests, NotPrepared, Prepared
from portal.sources.http.classify import Verdict, verdict_on
from portal.sources.http.clean import without_tokens
from portal.sources.http.client import NoResponse, RequestInterrupted, SourceClient
from portal.sources.http.current_secrets import CurrentSecrets
from portal.sources.http.first_request import FirstRequestGate
from portal.sources.http.pace import Pace
from portal.sources.http.pricing import NOT_CHARGED
from portal.sources.http.refusals import Refusals
from portal.sources.http.response import SourceResponse
from portal.sources.http.robots import Robots
from portal.sources.limits.interfaces import Breaker, Limiter, Places
from portal.sources.limits.kept_values import KeptValues
from portal.sources.limits.rate_limiter import WaitInterrupted
from portal.sources.recipes.filling import BadValue, FilledRequest, MissingSecret, fill
from portal.sources.recipes.model import Before, Recipe, Request
from portal.sources.recipes.signing import BadKey

FELL_SILENT = 10  # numbers without a response, one after the other


def _never() -> bool:
    return False


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


class RequestSender:
    """See the module. Its methods may be called from many threads at once."""

    def __init__(
        self,
        recipe: Recipe,
        environ: Mapping[str, str],
        client: SourceClient,
        make_limiter: Callable[[float | None], Limiter],
        breaker: Breaker,
        robots: Robots,
        stop: Callable[[], bool],
        places: Places,
        present_secrets: Callable[[], Mapping[str, str]] | None = None,
        before: BeforeRequests | None = None,
    ) -> None:
        self.recipe, self.stop = recipe, stop
        self._client, self._breaker = client, breaker
        self._secrets = CurrentSecrets(recipe.secrets, environ, present_secrets)
        self._pace = Pace(recipe, make_limiter, places, robots)
        self._before = before or BeforeRequests(recipe, KeptValues(None, recipe.name, None))
        self._gate = FirstRequestGate(stop)
        self._refusals = Refusals()
        self._doubted: set[str] = set()  # numbers that were refused, and are asked about once more
        self.samples = Samples(self._secrets.values())
        self._has_responded = False
        self._unanswered: set[str] = set()  # numbers that were sent since the last response, and got none
        self.note_sent: NoteSent = always

    @property
    def silent(self) -> bool:
        """Whether the source has not responded at all so far, or has fallen silent: several numbers in a row, as in a
        batch, got no response since the last one. A single number that the source cannot answer is no silence."""
        return not self._has_responded or len(self._unanswered) >= FELL_SILENT

    def ask(
        self, request: Request, numbers: Sequence[str], *, ticket: str = "", key: str = "", fetching: bool = False
    ) -> SourceResponse:
        """Send a request, and what has to be sent before it, within the rate limit. The response is that of a request
        before where there is nothing to ask with. A kept value that is refused is renewed once. Raises NoResponse,
        RequestInterrupted, SourceBusy or SourceStopped. `fetching`: see `_exchange`."""
        outdated: list[str] = []
        while True:
            try:
                prepared = self._prepared(numbers, outdated, _never if fetching else self.stop)
            except NotPrepared as error:
                return error.response
            filled = self._filled(request, numbers, prepared, ticket, key)
            self._pace.obey_robots(filled.url)
            renews = not outdated and prepared.may_be_outdated and not self._doubted.intersection(numbers)
            response = self._exchange(filled, request, fetching=fetching, renews=renews)
            if not response.is_outdated:
                if response.verdict not in REFUSALS:
                    prepared.note_success()
                return response
            outdated = [one.id for one in prepared.kept]

    def fetch(self, url: str, request: Request) -> SourceResponse:
        """Fetch answers from an address that the source gave. Another host does not get the request's own headers, as a
        key may be in them. Raises as `ask`."""
        headers: dict[str, str] = {}
        secrets: tuple[str, ...] = ()
        if _origin(url) in {_origin(one.url) for one in self.recipe.requests}:
            plain = replace(request, url="", body="", form={}, sign=None)
            own = self._filled(plain, (), self._prepared((), [], _never), "", "")
            headers = {name: text for name, text in own.headers.items() if name.lower() != "content-type"}
            secrets = own.secrets
        parts = urlsplit(url)
        hidden = (parts.query,) if parts.query else ()  # a key for this file alone
        filled = FilledRequest("GET", url, headers, None, (*secrets, *hidden), (url,))
        return self._exchange(filled, request, fetching=True, is_link=True)

    def _prepared(self, numbers: Sequence[str], outdated: Sequence[str], stop: Callable[[], bool]) -> Prepared:
        try:
            return self._before.prepare(self, numbers, outdated, stop)
        except WaitInterrupted:
            raise RequestInterrupted from None

    def send_before(self, before: Before, numbers: Sequence[str], prepared: Prepared) -> SourceResponse:
        """Send a request before. Raises as `ask`."""
        filled = self._filled(before.request, numbers, prepared, "", "")
        self._pace.obey_robots(filled.url)
        return self._exchange(filled, before.request, before=before)

    def unusable_before(self, response: SourceResponse, why: str) -> NoReturn:
        """Stop the attempt, as no value could be taken from the answer that all others need."""
        # The token may only be in another place than before.
        shown = replace(response, headers={}, body=without_tokens(response.text).encode())
        self.samples.add(shown, why, "", None)
        ended = SourceStopped(CauseCode.ANSWERS_UNUSABLE)
        self._gate.close(ended)
        raise ended

    def secrets_mark(self) -> str:
        return self._secrets.mark

    def mask_also(self, values: Sequence[str]) -> None:
        """Mask these values of the source in samples."""
        self.samples.mask_also(values)

    def _filled(
        self, request: Request, numbers: Sequence[str], prepared: Prepared, ticket: str, key: str
    ) -> FilledRequest:
        try:
            return fill(
                request, numbers, self._secrets.environ, batch=self.recipe.batch, ticket=ticket, batch_key=key,
                taken=prepared.values, cookies=prepared.cookies,
            )  # fmt: skip
        except MissingSecret as error:
            raise SourceStopped(CauseCode.SECRET_MISSING) from error
        except BadKey:
            raise SourceStopped(CauseCode.CREDENTIALS) from None
        except BadValue:
            raise SourceStopped(CauseCode.RECIPE_BROKEN) from None

    def close(self) -> None:
        """Let others have this session's places at the source."""
        self._pace.close()

    def _exchange(
        self,
        filled: FilledRequest,
        request: Request,
        *,
        fetching: bool = False,
        before: Before | None = None,
        renews: bool = False,
        is_link: bool = False,
    ) -> SourceResponse:
        """Send within the rate limit. Raises NoResponse, RequestInterrupted, SourceBusy or SourceStopped.

        Until the first response has come, and after a refusal, requests go one at a time: wrong credentials are then
        refused twice, and not once for each number in flight. `fetching`: fetch what was submitted, and may be paid
        for, although the attempt was stopped; `before`: it is this one; `renews`: credentials that it refuses may
        have ended, and are renewed; `is_link`: a refusal is about an address that has ended, and not about us.
        """
        stop = _never if fetching else self.stop
        with self._gate:
            self._pace.take_place(stop)  # first: a slot that waited for a place would be used too late
            try:
                self._pace.wait_for_slot(stop)
                self._breaker.check()  # last: a thread that it lets through as a probe has to report an outcome
                asks = before is None and not fetching
                if asks and not self.note_sent(filled.about, True):
                    raise RequestInterrupted
                sent_at = self._refusals.send()
                try:
                    response = self._client.send(filled, request)
                except (NoResponse, SourceStopped) as error:
                    self._unanswered.update(filled.about)
                    if asks and not getattr(error, "may_have_come", False):
                        self.note_sent(filled.about, False)
                    self._breaker.failed()
                    raise
            finally:
                self._pace.give_back()
            response.about, response.sent_at = filled.about, sent_at
            self._apply_to_all(response, filled, fetching, before, renews, is_link)
            return response

    def _apply_to_all(
        self,
        response: SourceResponse,
        filled: FilledRequest,
        fetching: bool,
        before: Before | None,
        renews: bool,
        is_link: bool,
    ) -> None:
        """Apply what a response means for every number: the breaker, the limiter, a refusal."""
        if response.status < 500:
            self._has_responded = True
            self._unanswered.clear()
        else:
            self._unanswered.update(response.about)
        verdict = verdict_on(response, self.recipe, before)
        response.verdict = verdict
        if verdict in NOT_CHARGED and before is None and not fetching:
            self.note_sent(filled.about, False)
        if verdict in REFUSALS and self._secrets.is_outdated(filled):
            self.samples.mask_also(self._secrets.values())
            response.verdict = Verdict.TEMPORARY  # of the secret that was replaced while the request was on its way
            self._breaker.succeeded()
            return
        if verdict in REFUSALS and is_link:
            self._breaker.succeeded()
            return
        if verdict == Verdict.CREDENTIALS and renews:
            response.is_outdated = True
            self._breaker.succeeded()
            return
        if verdict in REFUSALS and before is not None and before.is_kept:  # about no number: nothing can be asked
            self._breaker.note_secret(self._secrets.mark)
            self._stop_source(verdict)
        # A refusal inside an answer that is fetched may be the batch's answer and not this request's: see `poll`.
        if verdict in REFUSALS and not (fetching and response.status < 400):
            self._consider_refusal(verdict, response.about, response)
            self._breaker.refused()
            if fetching:  # there is no other ticket to judge it by: this attempt ends, the other files continue
                raise SourceStopped(verdict.value)
            return
        if verdict == Verdict.LIMITED:
            self._breaker.succeeded()  # the source is alive
            self._pace.slow_down(response)
            return
        # While fetching, "not yet" shows that the source is alive.
        if verdict == Verdict.TEMPORARY and not (fetching and response.status < 500):
            self._breaker.failed()
            return
        self._breaker.succeeded(answers=True)
        self._pace.note_success(response)

    def _consider_refusal(self, verdict: Verdict, about: tuple[str, ...], response: SourceResponse) -> None:
        """Stop the source once two questions in a row were refused. After the first, the next one goes alone."""
        self._breaker.note_secret(self._secrets.mark)
        if self._refusals.refused(about, response.sent_at):
            self._stop_source(verdict)
        if not self._refusals.is_own(about):
            self._gate.hold()

    def _stop_source(self, verdict: Verdict) -> NoReturn:
        """Stop all requests of this attempt and of every other worker, as the source refuses us."""
        refusal = SourceStopped(verdict.value)
        self._gate.close(refusal)
        self._breaker.trip(verdict.value)
        raise refusal

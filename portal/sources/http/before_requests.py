"""The requests before: sends those that the next request needs, and gives what was taken from their answers.

What is kept is shared by all workers and renewed once it is refused; the rest is asked for each call. Every request
goes through the session: it obeys the pace, the breaker and robots.txt as any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from portal.clock import utcnow
from portal.sources.http.classify import Verdict, search, why_unreadable
from portal.sources.http.cookies import Cookie, merged
from portal.sources.http.extract import extract_fields
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.limits.kept_values import KeptValue, KeptValues
from portal.sources.recipes.model import Before, Recipe

LONGEST_MARGIN = 60.0  # seconds before its end from which a value is not used: a request takes time on its way


@dataclass
class Prepared:
    """What the requests before gave: values by name, cookies, and the kept values among them."""

    values: dict[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()
    kept: list[KeptValue] = field(default_factory=list)

    @property
    def may_be_outdated(self) -> bool:
        """Whether a refusal may only mean that a kept value has ended: each has worked before."""
        return bool(self.kept) and all(one.has_worked for one in self.kept)

    def note_success(self) -> None:
        """Note that a request with these values was not refused."""
        for one in self.kept:
            one.has_worked = True


class NotPrepared(Exception):
    """A request before has no answer to take values from. `response` has its verdict, which is that of the numbers."""

    def __init__(self, response: SourceResponse) -> None:
        super().__init__(response.verdict)
        self.response = response


class Sends(Protocol):
    """What a session does for the requests before."""

    def send_before(self, before: Before, numbers: Sequence[str], prepared: Prepared) -> SourceResponse:
        """The response, with its verdict. Raises NoResponse, RequestInterrupted, SourceBusy or SourceStopped."""

    def unusable_before(self, response: SourceResponse, why: str) -> NoReturn:
        """Raise SourceStopped, as nothing can be asked without this answer."""

    def secrets_mark(self) -> str: ...

    def mask_also(self, values: Sequence[str]) -> None: ...


class BeforeRequests:
    """The requests before of one recipe, for all sessions of a process."""

    def __init__(self, recipe: Recipe, kept: KeptValues) -> None:
        self._recipe, self._kept = recipe, kept

    def prepare(self, session: Sends, numbers: Sequence[str], outdated: Sequence[str], stop: Any) -> Prepared:
        """Send what has to be sent before a request about these numbers. `outdated` are ids of kept values that were
        refused. Raises NotPrepared and what the session raises."""
        prepared = Prepared()
        for nth, before in enumerate(self._recipe.before):
            if before.is_kept:
                self._use_kept(session, nth, before, prepared, outdated, stop)
            else:
                response = session.send_before(before, numbers, prepared)
                if response.verdict != Verdict.OK:
                    raise NotPrepared(response)
                try:
                    self._add(session, before, prepared, _taken(before, response), response.cookies)
                except UnreadableResponse as error:
                    response.verdict, response.why = Verdict.UNREADABLE, str(error)
                    raise NotPrepared(response) from None
        return prepared

    def _use_kept(
        self, session: Sends, nth: int, before: Before, prepared: Prepared, outdated: Sequence[str], stop: Any
    ) -> None:
        def make() -> KeptValue:
            response = session.send_before(before, (), prepared)
            if response.verdict not in (Verdict.OK, Verdict.UNREADABLE):
                raise NotPrepared(response)
            try:
                if response.verdict == Verdict.UNREADABLE:
                    raise UnreadableResponse(why_unreadable(response))
                values, seconds = _taken(before, response), _seconds(before, response)
            except UnreadableResponse as error:
                session.unusable_before(response, str(error))
            session.mask_also([*values.values(), *(str(one["value"]) for one in response.cookies)])
            cookies = response.cookies if before.cookies else ()
            return KeptValue(values, tuple(cookies), utcnow().timestamp() + seconds)

        # Another recipe, or another account, does not use this one's values.
        name = f"{self._recipe.version}:{nth}:{session.secrets_mark()}"
        unlike = outdated[len(prepared.kept)] if len(prepared.kept) < len(outdated) else ""
        kept = self._kept.get(name, unlike, make, before.request.timeout_seconds, stop)
        prepared.kept.append(kept)
        self._add(session, before, prepared, kept.values, kept.cookies)

    @staticmethod
    def _add(
        session: Sends, before: Before, prepared: Prepared, values: Mapping[str, str], cookies: Sequence[Cookie]
    ) -> None:
        session.mask_also([*values.values(), *(str(one["value"]) for one in cookies)])
        prepared.values.update(values)
        if before.cookies:
            prepared.cookies = merged(prepared.cookies, cookies)


def _taken(before: Before, response: SourceResponse) -> dict[str, str]:
    """What the answer gives. Raises UnreadableResponse."""
    if not before.take:
        return {}
    of_body = [rule for rule in before.take if not rule.header]
    values = extract_fields(of_body, response.content) if of_body else {}
    for rule in before.take:
        if rule.header:
            values |= extract_fields([rule], response.headers.get(rule.header.lower(), ""))
    for rule in before.take:
        if rule.name not in values:
            raise UnreadableResponse(f"no field {rule.name}")
    return values


def _seconds(before: Before, response: SourceResponse) -> float:
    """For how long the answer's values are used: a tenth less than they are good for. Raises UnreadableResponse."""
    seconds = before.keep_seconds
    if seconds is None:
        found = search(before.keep_path, response.content)
        try:
            seconds = float(found)
        except (TypeError, ValueError):
            raise UnreadableResponse("no field keep") from None
        if not 0 < seconds < 366 * 86_400:
            raise UnreadableResponse("no field keep")
        return seconds - min(seconds / 10, LONGEST_MARGIN)
    return seconds

"""Coming back with a ticket until its answers are ready, or it is plain that they will not be in time.

It draws no conclusion about the numbers: what follows from a ticket that is gone or late, `later` knows.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portal.sources.http.classify import any_holds
from portal.sources.http.client import NoAnswer
from portal.sources.http.response import Reply
from portal.sources.recipes.model import Batch, Poll, Request
from portal.sources.recipes.placeholders import Filled

if TYPE_CHECKING:
    from portal.sources.http.session import Inquiry

DRAIN_SECONDS = 2.0  # told to stop: what is nearly ready is still fetched; the rest is the next attempt's
STEP_SECONDS = 0.2
UNKNOWN, GONE = 404, 410  # the second is taken at its word; the first may also mean "not yet"


@dataclass
class Polled:
    """What came of it. `ready` has the answers. `gone`: the source says that it has them no longer."""

    ready: Reply | None = None
    gone: bool = False
    heard: bool = False  # it said something, and be it "not yet"
    unknown: bool = True  # whatever it said was that it knows no such ticket
    stopped: bool = False  # we were told to stop


def poll(inquiry: "Inquiry", batch: Batch, rules: Poll, filled: Filled, until: float, *, at_once: bool) -> Polled:
    """Ask until that moment (monotonic), once at least. Raises what `Inquiry.exchange` raises, but NoAnswer."""
    request = poll_request(batch, rules)
    still_none = inquiry.recipe.outcomes.get("retry", ())
    found = Polled()
    wait = 0.0 if at_once else rules.interval_seconds
    while True:
        _sleep(inquiry, min(wait, max(0.0, until - time.monotonic())))
        wait = rules.interval_seconds
        if inquiry.stop() and not found.stopped:
            found.stopped, until = True, min(until, time.monotonic() + DRAIN_SECONDS)
        try:
            reply = inquiry.exchange(filled, request, fetching=True)
        except NoAnswer:
            pass  # the ticket stays good
        else:
            if any_holds(rules.ready, reply):
                found.ready = reply
                return found
            if reply.status == GONE or any_holds(rules.gone, reply):
                found.gone = True
                return found
            if reply.status < 500:
                found.heard = True
                found.unknown &= reply.status == UNKNOWN and not any_holds(still_none, reply)
        if time.monotonic() >= until:
            found.unknown &= found.heard
            return found


def poll_request(batch: Batch, rules: Poll) -> Request:
    """What is sent to ask for the answers: as the batch was handed in, but without its body."""
    return Request(
        rules.url,
        headers={name: text for name, text in batch.request.headers.items() if name.lower() != "content-type"},
        timeout_seconds=batch.request.timeout_seconds,
        max_body_bytes=batch.request.max_body_bytes,
        redirects=batch.request.redirects,
    )


def _sleep(inquiry: "Inquiry", seconds: float) -> None:
    """In small steps, so that being told to stop is seen."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not inquiry.stop():
        time.sleep(min(STEP_SECONDS, left))
    if left > 0:  # told to stop: what is paid for is fetched a little faster, not without a pause
        time.sleep(min(STEP_SECONDS, left))

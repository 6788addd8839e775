"""One exchange with a source: a filled-in request goes out, a Reply comes back within its time and size, or nothing.

It retries nothing, waits for no pace and judges no answer. What it raises names no address: that may hold a secret.
"""

import os
import threading
import time
from collections.abc import Callable

import requests
from urllib3.exceptions import HTTPError

from portal.causes import CauseCode
from portal.net.address_policy import AddressRefused
from portal.net.deadline import deadline
from portal.sources.base import SourceStopped
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.model import Request
from portal.sources.recipes.placeholders import Filled

PIECE_BYTES = 16_384
# Neither names the portal's address nor pretends to be a browser.
OWN_HEADERS = {"User-Agent": "masterfilter", "Accept-Encoding": "gzip, deflate", "Accept": "*/*"}
MakeSession = Callable[[], requests.Session]


class NoAnswer(Exception):
    """No answer came: too late, cut off, or no connection at all. Another try may get one."""


class RequestInterrupted(Exception):
    """We were told to stop before this was sent: the number stays as it was."""


class SourceClient:
    """Sends requests over one session for each process: a fork must not share its parent's connections."""

    def __init__(self, make_session: MakeSession, clock: Callable[[], float] = time.monotonic) -> None:
        self._make_session = make_session
        self._clock = clock
        self._sessions: dict[int, requests.Session] = {}
        self._lock = threading.Lock()

    def send(self, filled: Filled, request: Request) -> SourceResponse:
        """The answer, cut at the body's limit. Raises NoAnswer, and SourceStopped for an address that is refused."""
        with deadline(request.timeout_seconds):
            return self._send(filled, request)

    def _send(self, filled: Filled, request: Request) -> SourceResponse:
        until = self._clock() + request.timeout_seconds
        try:
            prepared = requests.Request(
                filled.method, filled.url, headers={**OWN_HEADERS, **filled.headers}, data=filled.body
            ).prepare()
            answer = self._session().send(
                prepared, stream=True, timeout=request.timeout_seconds, allow_redirects=request.redirects > 0
            )
        except AddressRefused:
            raise SourceStopped(CauseCode.ADDRESS_REFUSED) from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            # Without its cause: the texts of these errors hold the whole address.
            raise NoAnswer(type(error).__name__) from None
        try:
            body, whole = self._body(answer, request.max_body_bytes, until)
        except (requests.RequestException, HTTPError, OSError) as error:
            answer.close()
            raise NoAnswer(type(error).__name__) from None
        return SourceResponse(answer.status_code, dict(answer.headers), body, whole=whole)

    def _body(self, answer: requests.Response, limit: int, until: float) -> tuple[bytes, bool]:
        """The body and whether that is all of it. What is left of an endless one is not waited for."""
        pieces, length = [], 0
        # `read1` gives what is there. `read` waits for a whole piece, which a server that drips never fills.
        while piece := answer.raw.read1(PIECE_BYTES, decode_content=True):
            pieces.append(piece)
            length += len(piece)
            if length > limit:
                answer.close()
                return b"".join(pieces)[:limit], False
            if self._clock() > until:
                answer.close()
                raise NoAnswer("Timeout")
        answer.raw.release_conn()
        return b"".join(pieces), True

    def _session(self) -> requests.Session:
        pid = os.getpid()
        session = self._sessions.get(pid)
        if session is None:
            with self._lock:
                session = self._sessions.setdefault(pid, self._make_session())
        return session

"""One request to a source: sends it and returns the response within its limits of time and size, or raises NoResponse.

Does not retry, does not wait for the rate limit and does not classify the response. What it raises contains no address,
as an address may contain a secret.
"""

import os
import threading
import time
from collections.abc import Callable

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from portal.causes import CauseCode
from portal.net.address_policy import AddressRefused
from portal.net.deadline import deadline
from portal.sources.base import SourceStopped
from portal.sources.http.cookies import cookies_of, jar_of
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.filling import FilledRequest
from portal.sources.recipes.model import Request

PIECE_BYTES = 16_384
# Does not name the portal's address, and does not pretend to be a browser.
OWN_HEADERS = {"User-Agent": "masterfilter", "Accept-Encoding": "gzip, deflate", "Accept": "*/*"}
MakeSession = Callable[[], requests.Session]


class NoResponse(Exception):
    """No response came: too late, cut off, or no connection at all. Another try may get one. `may_have_come`: the
    request may have reached the source."""

    def __init__(self, why: str, *, may_have_come: bool = True) -> None:
        super().__init__(why)
        self.may_have_come = may_have_come


class RequestInterrupted(Exception):
    """The attempt stopped before this request was sent: its numbers stay as they were."""


class SourceClient:
    """Sends requests, with one session for each process: a fork must not share its parent's connections."""

    def __init__(self, make_session: MakeSession, clock: Callable[[], float] = time.monotonic) -> None:
        self._make_session = make_session
        self._clock = clock
        self._sessions: dict[int, requests.Session] = {}
        self._lock = threading.Lock()

    def send(self, filled: FilledRequest, request: Request) -> SourceResponse:
        """The response, its body cut at the recipe's limit. Raises NoResponse, and SourceStopped for an address that
        the portal must not reach."""
        with deadline(request.timeout_seconds):
            return self._send(filled, request)

    def _send(self, filled: FilledRequest, request: Request) -> SourceResponse:
        until = self._clock() + request.timeout_seconds
        try:
            prepared = requests.Request(
                filled.method,
                filled.url,
                headers={**OWN_HEADERS, **filled.headers},
                data=filled.body,
                cookies=jar_of(filled.cookies),
            ).prepare()
            response = self._session().send(
                prepared,
                stream=True,
                timeout=request.timeout_seconds,
                allow_redirects=request.redirects > 0,
                # Twice, as one file has both: an encrypted key is then refused, instead of asked for at a terminal.
                cert=(filled.certificate, filled.certificate) if filled.certificate else None,
            )
        except AddressRefused:
            raise SourceStopped(CauseCode.ADDRESS_REFUSED) from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            # Without its cause: the texts of these errors contain the whole address.
            raise NoResponse(type(error).__name__, may_have_come=not _has_no_connection(error)) from None
        try:
            body, whole = self._read_body(response, request.max_body_bytes, until)
        except (requests.RequestException, HTTPError, OSError) as error:
            response.close()
            raise NoResponse(type(error).__name__) from None
        return SourceResponse(
            response.status_code, dict(response.headers), body, whole, request.reading, cookies_of(response)
        )

    def _read_body(self, response: requests.Response, limit: int, until: float) -> tuple[bytes, bool]:
        """The body, and whether it is complete. Stops at the limit, as a body may be endless."""
        pieces, length = [], 0
        # `read1` returns what is there. `read` waits for a whole piece, which a server that drips never fills.
        while piece := response.raw.read1(PIECE_BYTES, decode_content=True):
            pieces.append(piece)
            length += len(piece)
            if length > limit:
                response.close()
                return b"".join(pieces)[:limit], False
            if self._clock() > until:
                response.close()
                raise NoResponse("Timeout")
        response.raw.release_conn()
        return b"".join(pieces), True

    def _session(self) -> requests.Session:
        pid = os.getpid()
        session = self._sessions.get(pid)
        if session is None:
            with self._lock:
                session = self._sessions.setdefault(pid, self._make_session())
        return session


def _has_no_connection(error: BaseException) -> bool:
    """Whether this error says that there was no connection at all, so that nothing was sent."""
    if isinstance(error, requests.ConnectTimeout | NewConnectionError | ConnectTimeoutError):
        return True
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", inner)  # of a MaxRetryError
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)

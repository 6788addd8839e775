"""Send one POST to an address that a person configured, limited in time and in bytes read whatever the receiver does.

Redirects are not followed: only the checked address gets a request. It must not know what is sent.

Where its promise ends: resolving a name takes as long as the system lets it.
"""

from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from portal.net.address_policy import AddressPolicy, AddressRefused
from portal.net.deadline import deadline
from portal.net.guarded_session import GuardedSession

CONNECT_SECONDS = 5.0
SECONDS = 10.0  # for the whole exchange, from the connection to the last byte read
READ_BYTES = 4096  # of the response: enough for a log, and an endless response ends here


class NoPostResponse(Exception):
    """No response: too late, cut off, or no connection at all. `late` if the time ran out."""

    def __init__(self, late: bool) -> None:
        super().__init__("late" if late else "no connection")
        self.late = late


@dataclass(frozen=True)
class PostResponse:
    """The response: its status, Retry-After as sent (empty if missing), and the beginning of the body as text."""

    status: int
    retry_after: str
    text: str


class _OneShot(GuardedSession):
    """A session for one request, which ignores redirects."""

    def __init__(self, policy: AddressPolicy) -> None:
        super().__init__(policy, pool_size=1, redirects=0)

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def post(
    policy: AddressPolicy, url: str, body: bytes, headers: dict[str, str], seconds: float = SECONDS
) -> PostResponse:
    """Send one POST and return the response.

    Raises AddressRefused and NoPostResponse; neither contains the whole address, which may hold a key.
    """
    policy.check_text(url)  # first, because requests raises other errors for a malformed address
    with deadline(seconds), _OneShot(policy) as session:
        try:
            response = session.post(
                url,
                data=body,
                headers={"Accept-Encoding": "identity", **headers},
                stream=True,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
            )
            text = _read_beginning(response)
        except (AddressRefused, NoPostResponse):
            raise
        except (requests.RequestException, HTTPError, OSError, UnicodeError, ValueError) as error:
            raise NoPostResponse(isinstance(error, requests.Timeout)) from None  # the error's text contains the address
    return PostResponse(response.status_code, response.headers.get("Retry-After", ""), text)


def _read_beginning(response: requests.Response) -> str:
    """Read the first bytes of the body. They are only for the log: the status has already decided."""
    pieces: list[bytes] = []
    raw: Any = response.raw
    try:
        while sum(map(len, pieces)) < READ_BYTES:
            # `read1` returns what has arrived. `read` waits for a full chunk, which a slow server never completes.
            piece = raw.read1(READ_BYTES, decode_content=False)
            if not piece:
                break
            pieces.append(piece)
    except (HTTPError, OSError):
        pass  # cut off in the middle: what has arrived is enough
    finally:
        response.close()
    return b"".join(pieces)[:READ_BYTES].decode("utf-8", "replace")

"""One POST to an address that a person has set, with an end: it takes so many seconds and reads so many bytes, whatever
the other side does.

No redirect is followed: the address that was judged is the only one that is asked. It must not know what is sent.

Where its promise ends: looking up a name is the system's own business, and takes as long as the system waits for it.
"""

from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from portal.net.address_policy import AddressPolicy, AddressRefused
from portal.net.deadline import deadline
from portal.net.guarded_session import GuardedSession

CONNECT_SECONDS = 5.0
SECONDS = 10.0  # for all of it, from the connection to the last byte that is read
READ_BYTES = 4096  # of the answer: enough for a log, and an endless one ends here


class NoPostResponse(Exception):
    """No answer came: too late, cut off, or no connection at all. `late`: it was the time that ran out."""

    def __init__(self, late: bool) -> None:
        super().__init__("late" if late else "no connection")
        self.late = late


@dataclass(frozen=True)
class PostResponse:
    """What came back: the status, Retry-After as it stands, and the beginning of the body as text."""

    status: int
    retry_after: str
    text: str


class _OneShot(GuardedSession):
    """A session for one question, which looks at no redirect: what it leads to is nobody's business here."""

    def __init__(self, judge: AddressPolicy) -> None:
        super().__init__(judge, pool_size=1, redirects=0)

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def post(
    judge: AddressPolicy, url: str, body: bytes, headers: dict[str, str], seconds: float = SECONDS
) -> PostResponse:
    """The answer to one POST. Raises Refused and NoReply; neither says the whole address, which may hold a key."""
    judge.look_at(url)  # requests has errors of its own for what is no address
    with deadline(seconds), _OneShot(judge) as session:
        try:
            answer = session.post(
                url,
                data=body,
                headers={"Accept-Encoding": "identity", **headers},
                stream=True,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
            )
            text = _beginning(answer)
        except (AddressRefused, NoPostResponse):
            raise
        except (requests.RequestException, HTTPError, OSError, UnicodeError, ValueError) as error:
            raise NoPostResponse(isinstance(error, requests.Timeout)) from None  # its text holds the address
    return PostResponse(answer.status_code, answer.headers.get("Retry-After", ""), text)


def _beginning(answer: requests.Response) -> str:
    """The first bytes of the body. What is said there is for the log only: the status has already decided."""
    pieces: list[bytes] = []
    raw: Any = answer.raw
    try:
        while sum(map(len, pieces)) < READ_BYTES:
            # `read1` gives what is there. `read` waits for a whole piece, which a server that drips never fills.
            piece = raw.read1(READ_BYTES, decode_content=False)
            if not piece:
                break
            pieces.append(piece)
    except (HTTPError, OSError):
        pass  # cut off in the middle: what came is enough
    finally:
        answer.close()
    return b"".join(pieces)[:READ_BYTES].decode("utf-8", "replace")

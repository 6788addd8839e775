"""One time limit for the whole exchange: however a server spreads its answer, the caller is free when it is over."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from portal.net import guarded_session
from portal.sources.http.client import NoResponse, SourceClient
from portal.sources.recipes.model import Request
from portal.sources.recipes.placeholders import FilledRequest
from tests.support.misbehaving import Misbehaving, always, misbehaving
from tests.support.recipes import LOOPBACK

LIMIT = 0.3
NUMBER = "%2B34612000001"


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving() as server:
        yield server


@pytest.fixture
def source_client() -> SourceClient:
    return SourceClient(lambda: guarded_session.session(LOOPBACK))


def ask(source_client: SourceClient, url: str, redirects: int = 0) -> float:
    """How long it took until no answer came."""
    address = f"{url}/v1/lookup/{NUMBER}"
    begun = time.monotonic()
    with pytest.raises(NoResponse):
        source_client.send(
            FilledRequest("GET", address, {}, None, ()), Request(address, timeout_seconds=LIMIT, redirects=redirects)
        )
    return time.monotonic() - begun


@pytest.mark.parametrize("fault", ["drip_headers", "drip", "hang"])
def test_an_answer_in_drops_ends_with_the_time_limit(
    server: Misbehaving, source_client: SourceClient, fault: str
) -> None:
    """The server drips for a hundred seconds."""
    server.plan = always(fault)
    assert LIMIT * 0.9 <= ask(source_client, server.url) < LIMIT * 10


def test_a_connection_is_used_again_with_a_time_limit_of_its_own(
    server: Misbehaving, source_client: SourceClient
) -> None:
    address = f"{server.url}/v1/lookup/{NUMBER}"
    for seconds, latency in ((0.2, 0.02), (5.0, 0.3)):  # the second takes longer than the first might have
        server.latency = latency
        response = source_client.send(
            FilledRequest("GET", address, {}, None, ()), Request(address, timeout_seconds=seconds)
        )
        assert response.status == 200 and response.json["status"] == "ok"


def test_a_redirect_gains_no_time(server: Misbehaving) -> None:
    """/login, where it leads, is a page that is not there: the server is slow to say even that."""
    server.plan = always("redirect")
    server.latency = LIMIT * 0.7
    assert (
        ask(SourceClient(lambda: guarded_session.session(LOOPBACK, redirects=5)), server.url, redirects=5) < LIMIT * 10
    )
    assert [path for _, path, _, _ in server.requests] == [f"/v1/lookup/{NUMBER}", "/login"]


def test_a_handshake_in_drops_ends_with_the_time_limit(source_client: SourceClient) -> None:
    """A server that takes the connection and then says, of TLS, one byte now and then."""
    closing = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"\x16\x03\x03\x40\x00")
                while not closing.wait(0.02):
                    try:
                        connection.sendall(b"\x00")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            assert ask(source_client, f"https://127.0.0.1:{listening.getsockname()[1]}") < LIMIT * 10
        finally:
            closing.set()
            thread.join(5)

"""One deadline for the whole exchange: however slowly a server sends its response, the caller waits no longer."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from portal.net import guarded_session
from portal.sources.http.client import NoResponse, SourceClient
from portal.sources.recipes.filling import FilledRequest
from portal.sources.recipes.model import Request
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
    """Send a request that must fail; return the seconds it took."""
    address = f"{url}/v1/lookup/{NUMBER}"
    begun = time.monotonic()
    with pytest.raises(NoResponse):
        source_client.send(
            FilledRequest("GET", address, {}, None, ()), Request(address, timeout_seconds=LIMIT, redirects=redirects)
        )
    return time.monotonic() - begun


@pytest.mark.parametrize("fault", ["drip_headers", "drip", "hang"])
def test_a_dripping_response_times_out(server: Misbehaving, source_client: SourceClient, fault: str) -> None:
    """The server sends a byte now and then for a hundred seconds."""
    server.plan = always(fault)
    assert LIMIT * 0.9 <= ask(source_client, server.url) < LIMIT * 10


def test_a_reused_connection_gets_a_new_deadline(server: Misbehaving, source_client: SourceClient) -> None:
    address = f"{server.url}/v1/lookup/{NUMBER}"
    for seconds, latency in ((0.2, 0.02), (5.0, 0.3)):  # the second takes longer than the first might have
        server.latency = latency
        response = source_client.send(
            FilledRequest("GET", address, {}, None, ()), Request(address, timeout_seconds=seconds)
        )
        assert response.status == 200 and response.json["status"] == "ok"


def test_a_redirect_gains_no_time(server: Misbehaving) -> None:
    """The redirect leads to /login, which does not exist: the server is slow even to say so."""
    server.plan = always("redirect")
    server.latency = LIMIT * 0.7
    assert (
        ask(SourceClient(lambda: guarded_session.session(LOOPBACK, redirects=5)), server.url, redirects=5) < LIMIT * 10
    )
    assert [path for _, path, _, _ in server.requests] == [f"/v1/lookup/{NUMBER}", "/login"]


def test_a_dripping_handshake_times_out(source_client: SourceClient) -> None:
    """The server accepts the connection and then sends one byte of TLS now and then."""
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

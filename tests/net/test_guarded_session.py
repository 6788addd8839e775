"""The guarded session: addresses that people configure lead to the internet and never into our own network.

Names are resolved from the test's own table, and an unexpected connection fails the test: nothing leaves the process.
Tests that need a connection use their own server on 127.0.0.1.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from portal.net import guarded_session
from portal.net.address_policy import CACHE_SECONDS, AddressPolicy, AddressRefusal, AddressRefused

INSIDE = [
    "http://127.0.0.1/", "http://localhost/", "http://127.1/", "http://2130706433/", "http://0x7f000001/",
    "http://0177.0.0.1/", "http://0/", "http://0.0.0.0/", "http://[::1]/", "http://[::]/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:a00:1]/", "http://[::127.0.0.1]/",
    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/", "http://100.127.255.254/", "http://192.0.0.1/", "http://198.18.0.1/", "http://224.0.0.1/",
    "http://240.0.0.1/", "http://255.255.255.255/", "http://[fe80::1]/", "http://[fc00::1]/", "http://[fd00:ec2::254]/",
    "http://[ff02::1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/", "http://[2001:db8::1]/", "http://[fec0::1]/", "https://10.0.0.1/",
]  # fmt: skip

NAMES = {
    "public.example": ["93.184.215.14"],
    "other.example": ["8.8.8.8"],
    "inside.example": ["10.0.0.1"],
    "both.example": ["93.184.215.14", "10.0.0.1"],
    "six.example": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "localhost": ["127.0.0.1"],
}


class Connected(BaseException):
    """The code tried to connect. A BaseException, so that no `except Exception` swallows it."""


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Record where the process tries to connect. Names resolve from NAMES; addresses to themselves."""
    seen: list[tuple[str, int]] = []
    real = socket.getaddrinfo

    def lookup(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        if host in NAMES:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in NAMES[host]]
        return real(host, port, *args, **{**kwargs, "flags": socket.AI_NUMERICHOST})

    def connect(self: socket.socket, address: Any) -> None:
        seen.append(address[:2])
        self.close()
        raise Connected(address)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


def goes_to(ask: Callable[[], Any], tried: list[tuple[str, int]]) -> tuple[str, int]:
    with pytest.raises(Connected):
        ask()
    return tried[-1]


@pytest.mark.parametrize("address", INSIDE)
def test_private_addresses_are_refused(address: str, tried: list[tuple[str, int]]) -> None:
    with pytest.raises(AddressRefused) as refused:
        guarded_session.session(redirects=3).get(address)
    assert refused.value.code is AddressRefusal.PRIVATE
    assert tried == []


@pytest.mark.parametrize("name", ["inside.example", "both.example"])
def test_a_name_with_any_private_address_is_refused(name: str, tried: list[Any]) -> None:
    with pytest.raises(AddressRefused) as refused:
        guarded_session.session().get(f"http://{name}/")
    assert refused.value.code is AddressRefusal.PRIVATE
    assert tried == []


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("file:///etc/passwd", AddressRefusal.SCHEME),
        ("gopher://public.example/", AddressRefusal.SCHEME),
        ("ftp://public.example/", AddressRefusal.SCHEME),
        ("http://public.example@inside.example/", AddressRefusal.USERINFO),
        ("http://user:word@public.example/", AddressRefusal.USERINFO),
        ("http://public.example:22/", AddressRefusal.PORT),
        ("https://public.example:6379/", AddressRefusal.PORT),
    ],
)
def test_malformed_addresses_are_refused_with_a_code(address: str, code: AddressRefusal, tried: list[Any]) -> None:
    with pytest.raises(AddressRefused) as refused:
        guarded_session.session().get(address)
    assert refused.value.code is code
    assert tried == []


def test_a_refusal_does_not_repeat_a_key(tried: list[Any]) -> None:
    with pytest.raises(AddressRefused) as refused:
        guarded_session.session().get("http://user:hidden@inside.example/?key=hidden")
    assert "hidden" not in str(refused.value)


def test_it_connects_to_a_public_address(tried: list[tuple[str, int]]) -> None:
    # Without this, a guard that refuses everything would pass all the tests above.
    assert goes_to(lambda: guarded_session.session().get("http://public.example/"), tried) == ("93.184.215.14", 80)
    assert goes_to(lambda: guarded_session.session().get("https://public.example/"), tried) == ("93.184.215.14", 443)


def test_a_configured_port_is_allowed(tried: list[tuple[str, int]]) -> None:
    session = guarded_session.session(ports=[8443])
    assert goes_to(lambda: session.get("https://public.example:8443/"), tried) == ("93.184.215.14", 8443)


def test_only_opened_networks_are_reached(tried: list[Any]) -> None:
    session = guarded_session.session(allow_private=["10.0.0.0/30"])
    assert goes_to(lambda: session.get("http://10.0.0.1:8080/"), tried) == ("10.0.0.1", 8080)
    with pytest.raises(AddressRefused):
        session.get("http://10.0.0.4:8080/")
    with pytest.raises(AddressRefused):
        session.get("http://127.0.0.1/")


def test_an_invalid_network_is_an_error() -> None:
    with pytest.raises(ValueError, match="not-a-network"):
        guarded_session.session(allow_private=["not-a-network"])


def test_dns_rebinding_gains_nothing(tried: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["93.184.215.14", "127.0.0.1", "127.0.0.1", "127.0.0.1"])

    def rebinding(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers) if host[0] == "r" else host, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert goes_to(lambda: guarded_session.session().get("http://rebinding.example/"), tried) == ("93.184.215.14", 80)


def test_a_checked_address_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now, answers = [0.0], ["93.184.215.14"]
    asked: list[str] = []

    def lookup(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[0], port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    policy = AddressPolicy(clock=lambda: now[0])
    assert [str(policy.allowed_address("public.example", 80).address) for _ in range(50)] == ["93.184.215.14"] * 50
    assert len(asked) == 1
    answers[0], now[0] = "10.0.0.1", CACHE_SECONDS + 1
    with pytest.raises(AddressRefused):
        policy.allowed_address("public.example", 80)


def test_it_ignores_the_environment(tried: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://other.example:80")
    assert goes_to(lambda: guarded_session.session().get("http://public.example/"), tried) == ("93.184.215.14", 80)
    proxies = {"http": "http://other.example:80"}
    ask = lambda: guarded_session.session().get("http://public.example/", proxies=proxies)  # noqa: E731
    assert goes_to(ask, tried) == ("93.184.215.14", 80)


# ── our own real server: what arrives there, and where its redirects lead ─────────────────────────────────────────


class Server(ThreadingHTTPServer):
    daemon_threads = True
    to = "/end"
    seen: list[dict[str, str]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        if self.path == "/end":
            self._answer(200, {"Set-Cookie": "id=1"})
        else:
            self._answer(302, {"Location": self.server.to})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(307, {"Location": self.server.to})

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def address_of(server: Server, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("http://10.0.0.1/", AddressRefusal.PRIVATE),
        ("http://169.254.169.254/latest/meta-data/", AddressRefusal.PRIVATE),
        ("http://[::1]/", AddressRefusal.PRIVATE),
        ("http://2130706434/", AddressRefusal.PRIVATE),
        ("http://user@127.0.0.1/", AddressRefusal.USERINFO),
        ("http://8.8.8.8:22/", AddressRefusal.PORT),
        ("/again", AddressRefusal.REDIRECTS),
    ],
)
def test_every_redirect_is_checked(server: Server, to: str, code: AddressRefusal) -> None:
    server.to = to
    with (
        guarded_session.session(allow_private=["127.0.0.1/32"], redirects=3) as session,
        pytest.raises(AddressRefused) as refused,
    ):
        session.get(address_of(server))
    assert refused.value.code is code
    assert len(server.seen) == (4 if code is AddressRefusal.REDIRECTS else 1)


def test_a_redirect_to_a_file_is_refused(server: Server) -> None:
    server.to = "file:///etc/passwd"
    with guarded_session.session(allow_private=["127.0.0.1/32"], redirects=3) as session, pytest.raises(AddressRefused):
        session.get(address_of(server))


def test_without_redirects_it_returns_the_response(server: Server) -> None:
    with guarded_session.session(allow_private=["127.0.0.1/32"]) as session:
        assert session.get(address_of(server)).status_code == 302
    assert len(server.seen) == 1


def test_a_redirect_to_another_host_drops_our_keys(server: Server) -> None:
    server.to = f"http://localhost:{server.server_address[1]}/end"
    keys = {"Authorization": "Bearer hidden", "X-Api-Key": "hidden", "Accept": "application/json"}
    with guarded_session.session(allow_private=["127.0.0.0/8", "::1/128"], redirects=1) as session:
        assert session.get(address_of(server), headers=keys).status_code == 200
        assert session.get(address_of(server, "/end"), headers=keys).status_code == 200
    first, second, at_home = server.seen
    assert "hidden" in str(first) and "hidden" in str(at_home)
    assert "hidden" not in str(second) and second["accept"] == "application/json"
    assert second["host"] == f"localhost:{server.server_address[1]}"


def test_a_body_is_not_redirected_to_another_host(server: Server) -> None:
    server.to = f"http://localhost:{server.server_address[1]}/end"
    with (
        guarded_session.session(allow_private=["127.0.0.0/8", "::1/128"], redirects=1) as session,
        pytest.raises(AddressRefused),
    ):
        session.post(address_of(server), data="hidden")
    assert server.seen == []


def test_no_public_redirect_into_an_opened_network(tried: list[Any]) -> None:
    session = guarded_session.session(allow_private=["10.0.0.0/8"], redirects=3)
    answer = requests.Response()
    answer.request = requests.Request("GET", "http://public.example/").prepare()
    onward = requests.Request("GET", "http://inside.example/").prepare()
    with pytest.raises(AddressRefused) as refused:
        session.rebuild_auth(onward, answer)
    assert refused.value.code is AddressRefusal.PRIVATE


def test_it_keeps_no_cookies(server: Server) -> None:
    with guarded_session.session(allow_private=["127.0.0.1/32"]) as session:
        for _ in range(2):
            session.get(address_of(server, "/end"))
    assert [headers for headers in server.seen if "cookie" in headers] == []


def test_it_keeps_pool_size_connections() -> None:
    adapter: Any = guarded_session.session(pool_size=32).get_adapter("https://public.example/")
    assert adapter.poolmanager.connection_pool_kw["maxsize"] == 32


def test_plain_http_only_into_opened_networks(tried: list[tuple[str, int]]) -> None:
    session = guarded_session.GuardedSession(AddressPolicy(["10.0.0.0/30"], https_only=True), pool_size=1, redirects=0)
    with pytest.raises(AddressRefused) as refused:
        session.get("http://public.example/")
    assert refused.value.code is AddressRefusal.SCHEME
    assert tried == []
    assert goes_to(lambda: session.get("http://inside.example/"), tried) == ("10.0.0.1", 80)
    assert goes_to(lambda: session.get("https://public.example/"), tried) == ("93.184.215.14", 443)

"""The way out through a proxy: judged here first, then reached by name; and client certificates."""

import base64
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from portal.causes import CauseCode
from portal.net import guarded_session
from portal.net.address_policy import AddressRefusal, AddressRefused
from portal.sources import catalogue
from portal.sources.base import Outcome, SourceStopped
from portal.sources.http.client import SourceClient
from portal.sources.http.source import HttpSource
from portal.sources.recipes.loader import read_recipe
from tests.sources.recipes.test_loader import GOOD
from tests.support.provider import Answered, Asked, provider
from tests.support.recipes import LOOPBACK
from tests.support.tls import Authority

NAMES = {"public.example": "93.184.215.14", "inside.example": "10.0.0.1", "opened.example": "127.0.0.1"}


class Proxy:
    """A proxy that takes every connection to one server, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []  # method, address, who
        self.target = ("", 0)
        self.url = ""
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    state = Proxy()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            state.asked.append((self.command, self.path, self.headers.get("Proxy-Authorization", "")))
            self.wfile.write(state.answer)
            self.close_connection = True

        def do_CONNECT(self) -> None:
            state.asked.append((self.command, self.path, self.headers.get("Proxy-Authorization", "")))
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with socket.create_connection(state.target) as there:
                back = threading.Thread(target=_copy, args=(there, self.connection), daemon=True)
                back.start()
                _copy(self.connection, there)
            self.close_connection = True

    real = socket.getaddrinfo

    def lookup(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        if host in NAMES:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (NAMES[host], port))]
        return real(host, port, *args, **{**kwargs, "flags": socket.AI_NUMERICHOST})

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.url = f"http://ada:p%40ss@127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield state
        server.shutdown()
        thread.join(5)


def _copy(here: socket.socket, there: socket.socket) -> None:
    try:
        while piece := here.recv(65_536):
            there.sendall(piece)
        there.shutdown(socket.SHUT_WR)
    except OSError:
        pass


WHO = "Basic " + base64.b64encode(b"ada:p@ss").decode()


@pytest.mark.parametrize("name", ["public.example", "unknown.example"])
def test_an_address_is_reached_through_the_proxy_by_its_name(proxy: Proxy, name: str) -> None:
    assert guarded_session.session(proxy=proxy.url).get(f"http://{name}/a?b=1").text == "ok"
    assert proxy.asked == [("GET", f"http://{name}/a?b=1", WHO)]


def test_tls_goes_through_the_proxy_to_the_name(proxy: Proxy, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with provider(lambda _: Answered({"ok": 1}), authority.server("public.example")) as server:
        proxy.target = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        session = guarded_session.session(proxy=proxy.url)
        session.verify = str(authority.file)
        assert session.get("https://public.example/a").json() == {"ok": 1}
        assert "Proxy-Authorization" not in server.asked[0].headers
    assert proxy.asked == [("CONNECT", "public.example:443", WHO)]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://inside.example/", AddressRefusal.PRIVATE),
        ("https://10.0.0.1/", AddressRefusal.PRIVATE),
        ("http://169.254.169.254/latest", AddressRefusal.PRIVATE),
        ("http://127.0.0.1/", AddressRefusal.PRIVATE),
        ("http://unknown.example:8080/", AddressRefusal.PORT),
        ("http://public.example:8080/", AddressRefusal.PORT),
    ],
)
def test_what_leads_inside_does_not_reach_the_proxy(proxy: Proxy, url: str, code: AddressRefusal) -> None:
    with pytest.raises(AddressRefused) as refused:
        guarded_session.session(proxy=proxy.url).get(url)
    assert refused.value.code == code and not proxy.asked


def test_a_redirect_that_leads_inside_is_refused(proxy: Proxy) -> None:
    proxy.answer = b"HTTP/1.1 302 Found\r\nLocation: http://inside.example/\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(AddressRefused):
        guarded_session.session(proxy=proxy.url, redirects=3).get("http://unknown.example/")
    assert len(proxy.asked) == 1


def test_an_opened_network_is_reached_directly(proxy: Proxy) -> None:
    with provider(lambda _: Answered("direct")) as server:
        port = server.url.rpartition(":")[2]
        session = guarded_session.session(LOOPBACK, proxy=proxy.url)
        assert session.get(f"http://opened.example:{port}/").text == "direct"
    assert not proxy.asked


def test_a_proxy_that_is_away_is_no_response(tmp_path: Path, proxy: Proxy) -> None:
    path = tmp_path / "my.toml"
    path.write_text(GOOD.replace("api.example.com", "public.example"))
    source = HttpSource(read_recipe(path), {"OPERATOR_KEY": "k"}, proxy="http://127.0.0.1:1")
    assert source.lookup("+34612345678").reason == CauseCode.TEMPORARY


# ── client certificates ─────────────────────────────────────────────────────────────────────────────────────────────

MTLS = """
name = "mtls"
kind = "json"
[request]
url = "{url}/{{digits}}"
certificate = "bank"
[fields]
operator = "operator"
"""


def test_a_request_presents_its_certificate(tmp_path: Path) -> None:
    """Without the file the source is not offered; once it is there, it is, without a restart."""
    authority = Authority(tmp_path)
    recipes, secrets = tmp_path / "sources", tmp_path / "secrets"
    recipes.mkdir(), secrets.mkdir()

    def answer(asked: Asked) -> Answered:
        return Answered({"operator": "Orange"})

    def client() -> requests.Session:
        session = guarded_session.session(LOOPBACK)
        session.verify = str(authority.file)
        return session

    with provider(answer, authority.server("127.0.0.1", wants_client=True)) as server:
        (recipes / "mtls.toml").write_text(MTLS.format(url=server.url))
        try:
            found = catalogue.configure(None, recipes, {}, LOOPBACK, secrets_file=tmp_path / "secrets.env")
            assert found[0].missing == ("secrets/bank.pem",) and not found[0].usable
            recipe = found[0].recipe
            assert recipe is not None
            with pytest.raises(SourceStopped, match=CauseCode.SECRET_MISSING):
                catalogue.make(recipe, client=SourceClient(client)).lookup("+34612345678")
            authority.certificate("the portal", secrets / "bank.pem")
            catalogue.ask_again()
            assert catalogue.refresh() and catalogue.recipe_files()[0].usable
            answered = catalogue.make(recipe, client=SourceClient(client)).lookup("+34612345678")
            assert answered.outcome == Outcome.FOUND
        finally:
            catalogue.configure(None, tmp_path / "nowhere", {})

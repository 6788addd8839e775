"""One POST against a receiver that misbehaves: it always ends in time and reads little."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.net.address_policy import AddressPolicy, AddressRefusal, AddressRefused
from portal.net.guarded_post import READ_BYTES, NoPostResponse, PostResponse, post
from tests.support.receiver import Receiver, receiver

SECONDS = 0.4  # the time limit of these posts
HOME = AddressPolicy(["127.0.0.0/8"], https_only=True)


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


def send(to: Receiver, policy: AddressPolicy = HOME, url: str = "") -> PostResponse:
    return post(policy, url or to.url, b'{"a": 1}', {"Content-Type": "application/json"}, SECONDS)


def test_it_posts_and_returns_the_response(there: Receiver) -> None:
    there.more = {"Retry-After": "7"}
    assert send(there) == PostResponse(200, "7", "thank you")
    assert there.received[0].body == b'{"a": 1}'
    assert there.received[0].headers["content-type"] == "application/json"
    assert there.received[0].headers["host"] == f"127.0.0.1:{there.port}"


@pytest.mark.parametrize("behave", ["hang", "drip_headers"])
def test_a_slow_receiver_is_late(there: Receiver, behave: str) -> None:
    there.behave = behave
    began = time.monotonic()
    with pytest.raises(NoPostResponse) as none:
        send(there)
    assert none.value.late
    assert time.monotonic() - began < SECONDS + 3  # without our limit it would be 30 seconds or forever


def test_a_dripping_body_ends_and_the_status_counts(there: Receiver) -> None:
    there.behave = "drip_body"
    answer = send(there)
    assert (answer.status, answer.text.strip()) == (200, "fine")
    assert there.written > 1


def test_only_the_beginning_of_an_endless_body_is_read(there: Receiver) -> None:
    there.behave = "huge"
    assert send(there).text == "x" * READ_BYTES
    assert there.written < 20_000_000  # what the buffers in between accepted


def test_a_broken_connection_is_no_response(there: Receiver) -> None:
    there.behave = "reset"
    with pytest.raises(NoPostResponse) as none:
        send(there)
    assert not none.value.late


def test_it_does_not_follow_redirects(there: Receiver) -> None:
    there.behave = "redirect"
    assert send(there).status == 302
    assert len(there.received) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:{port}/hook", AddressRefusal.PRIVATE),
        ("https://127.0.0.1:{port}/hook", AddressRefusal.PRIVATE),
        ("http://2130706433:{port}/hook", AddressRefusal.PRIVATE),
        ("http://[::ffff:127.0.0.1]:{port}/hook", AddressRefusal.PRIVATE),
        ("http://8.8.8.8/hook", AddressRefusal.SCHEME),
        ("https://8.8.8.8:22/hook", AddressRefusal.PORT),
        ("https://name:word@8.8.8.8/hook", AddressRefusal.USERINFO),
        ("ftp://8.8.8.8/hook", AddressRefusal.SCHEME),
        ("https://", AddressRefusal.HOST),
        ("https://[::1/", AddressRefusal.HOST),
    ],
)
def test_private_addresses_need_the_setting(there: Receiver, url: str, code: AddressRefusal) -> None:
    with pytest.raises(AddressRefused) as refused:
        send(there, AddressPolicy(https_only=True), url.format(port=there.port))
    assert refused.value.code is code
    assert there.received == []


def test_errors_never_contain_the_address(there: Receiver) -> None:
    there.behave = "reset"
    with pytest.raises(NoPostResponse) as none:
        send(there, url=f"{there.url}?key=hidden")
    assert "hidden" not in repr(none.value) and none.value.__cause__ is None


# ── what a form can reject before anything is sent ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("example.org/hook", AddressRefusal.SCHEME),
        ("http://example.org/hook", AddressRefusal.SCHEME),
        ("https://example.org:22/hook", AddressRefusal.PORT),
        ("https://a:b@example.org/", AddressRefusal.USERINFO),
        ("https://127.0.0.1/", AddressRefusal.PRIVATE),
        ("https://0x7f000001/", AddressRefusal.PRIVATE),
        ("https://[::1]/", AddressRefusal.PRIVATE),
        ("https://example.org:99999/", AddressRefusal.HOST),
        ("https:///hook", AddressRefusal.HOST),
        ("https://exa mple.org/", AddressRefusal.HOST),
        (f"https://{'a' * 64}.example.org/", AddressRefusal.HOST),
        ("https://a..example.org/", AddressRefusal.HOST),
    ],
)
def test_check_text_refuses_with_a_code(url: str, code: AddressRefusal) -> None:
    with pytest.raises(AddressRefused) as refused:
        AddressPolicy(https_only=True).check_text(url)
    assert refused.value.code is code


@pytest.mark.parametrize("url", ["https://example.org/hook?a=b", "https://8.8.8.8/", "HTTPS://Example.ORG:443/"])
def test_check_text_accepts_public_addresses(url: str) -> None:
    AddressPolicy(https_only=True).check_text(url)


def test_opened_networks_allow_http_and_any_port() -> None:
    policy = AddressPolicy(["10.1.0.0/16"], https_only=True)
    policy.check_text("http://10.1.2.3:8080/")
    policy.check_text("http://crm.internal:8080/")  # a name: it may resolve to an opened network
    with pytest.raises(AddressRefused):
        policy.check_text("http://10.2.0.1/")
    with pytest.raises(AddressRefused):
        policy.check_text("http://8.8.8.8/")


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_endless_handshakes_and_unknown_certificates_fail(there: Receiver, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(NoPostResponse):  # it speaks no TLS at all
        send(there, url=f"https://127.0.0.1:{there.port}/hook")
    assert time.monotonic() - began < SECONDS + 3
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
         "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    with receiver() as secured:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        secured.socket = context.wrap_socket(secured.socket, server_side=True)
        with pytest.raises(NoPostResponse) as none:
            send(secured, url=f"https://127.0.0.1:{secured.port}/hook")
    assert not none.value.late
    assert secured.received == []

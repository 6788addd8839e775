"""The look-up of a host's name is inside the exchange's deadline."""

import socket
import threading

import pytest
import requests

from portal.net.address_policy import AddressPolicy
from portal.net.deadline import deadline, within


def test_a_name_that_takes_too_long_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(30) and [])
    try:
        with deadline(0.1), pytest.raises(requests.ConnectTimeout):
            AddressPolicy().allowed_address("numbers.invalid", 443)
        assert not answer.is_set()
    finally:
        answer.set()


def test_what_the_look_up_gives_or_raises_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    with deadline(30):
        assert within(lambda: 7) == 7
        with pytest.raises(KeyError):
            within(lambda: {}["x"])
    assert within(lambda: threading.current_thread().name) == threading.current_thread().name

"""The servers that tests use are real, and gone afterwards."""

import signal
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis

from tests import services


def test_valkey_answers_and_is_gone_afterwards() -> None:
    with services.valkey_server() as server:
        assert server.process is not None
        pid, folder = server.process.pid, server.folder
        with Redis.from_url(server.url) as client:
            client.set("a", "1")
            assert client.get("a") == b"1"
    assert not psutil.pid_exists(pid)
    assert not folder.exists()


def test_valkey_can_be_killed_and_started_again_empty() -> None:
    with services.valkey_server() as server, Redis.from_url(server.url) as client:
        client.set("a", "1")
        server.stop(signal.SIGKILL)
        assert not server.answers()
        server.start()
        assert client.get("a") is None


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with services.postgres() as url:
        yield url


@pytest.mark.postgresql
def test_postgresql_gives_each_test_its_own_database(database_url: str) -> None:
    with services.new_database(database_url) as one, services.new_database(database_url) as two:
        with psycopg.connect(one) as connection:
            connection.execute("CREATE TABLE only_here (a int)")
        with psycopg.connect(two) as connection:
            assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)


@pytest.mark.postgresql
def test_postgresql_is_gone_afterwards() -> None:
    with services.postgres() as url:
        folder = Path(url.partition("host=")[2])
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        assert psutil.Process(pid).uids().real != 0
    assert not psutil.pid_exists(pid)
    assert not folder.exists()


def test_a_mail_arrives_whole() -> None:
    with services.smtp() as box:
        with smtplib.SMTP(box.host, box.port) as client:
            client.sendmail("a@example.org", ["alice@example.org"], "Subject: Hola\r\n\r\nListo.\r\n")
        assert box.messages[0]["Subject"] == "Hola"
        assert box.to == [["alice@example.org"]]


def test_the_browser_starts() -> None:
    answer = subprocess.run([services.chromium_path(), "--version"], capture_output=True, text=True, timeout=30)
    assert "Chrom" in answer.stdout

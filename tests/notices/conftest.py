"""A portal that sends e-mails to a real mail server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask, current_app

from portal.database import db
from portal.notices.email import smtp
from tests.support import cast, databases
from tests.support.smtp_server import SmtpServer, smtp_server

SENDER = "El portal <portal@example.com>"


@pytest.fixture
def mail_server() -> Iterator[SmtpServer]:
    with smtp_server() as mail_server:
        yield mail_server


@pytest.fixture
def posting_app(tmp_path: Path, mail_server: SmtpServer) -> Iterator[Flask]:
    """A portal that sends e-mails to `mail_server`."""
    yield from _app(tmp_path, MAIL_PORT=str(mail_server.port))


@pytest.fixture
def app_of(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """app_of(MAIL_PORT="…", …): a portal with these settings, in its app context."""
    made: list[Iterator[Flask]] = []

    def make(**settings: str) -> Flask:
        made.append(_app(tmp_path / str(len(made)), **settings))
        return next(made[-1])

    yield make
    for one in reversed(made):
        next(one, None)


def _app(folder: Path, **settings: str) -> Iterator[Flask]:
    folder.mkdir(exist_ok=True)
    given = {"MAIL_SERVER": "127.0.0.1", "MAIL_DEFAULT_SENDER": SENDER, **settings}
    with databases.usual() as database, cast.make_app(folder, **{**database, **given}).app_context():
        yield current_app._get_current_object()  # type: ignore[attr-defined]
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait 0.3 seconds instead of twenty for a silent server."""
    monkeypatch.setattr(smtp, "TALK_SECONDS", 0.3)

"""The doctor: all checks pass, or each failure has a sentence that says how to fix it."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from flask_migrate import upgrade
from sqlalchemy import delete

from portal.clock import utcnow
from portal.config import SettingError, read_settings
from portal.database import db
from portal.documents.reader import sandbox
from portal.jobs.sweep.steps import _save_state
from portal.notices.models import Delivery, Notice
from tests import services
from tests.support import cast, databases
from tests.support.smtp_server import PASSWORD, USER, certificate, smtp_server


@pytest.fixture
def portal(tmp_path: Path, valkey: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FlaskCliRunner]]:
    """portal(MAIL_SERVER="…"): return the terminal of a healthy portal with these settings."""
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    running = ExitStack()

    def make(**settings: str) -> FlaskCliRunner:
        folder = tmp_path / secrets.token_hex(4)
        folder.mkdir()
        database = running.enter_context(databases.usual())
        app: Flask = cast.make_app(folder, REDIS_URL=valkey, DEFAULT_LOCALE="en", **{**database, **settings})
        with app.app_context():
            db.drop_all()
            upgrade()
            _save_state(ended_at=utcnow())
            db.session.remove()
            db.engine.dispose()
        return app.test_cli_runner()

    with running:
        yield make


def lines(answer: object) -> dict[str, str]:
    output = str(getattr(answer, "stdout", ""))
    return {line.split(":")[0]: line for line in output.splitlines() if line[:1] in "✓✗"}


def test_all_is_well(portal: Callable[..., FlaskCliRunner]) -> None:
    answer = portal().invoke(args=["doctor"])
    assert answer.exit_code == 0, answer.output
    assert all(line.startswith("✓") for line in lines(answer).values()) and len(lines(answer)) == 12
    assert "emails are saved as files" in lines(answer)["✓ Email"]


def test_failed_and_late_messages_are_reported_as_on_the_health_page(portal: Callable[..., FlaskCliRunner]) -> None:
    terminal = portal()

    def noted(state: Delivery, hours_ago: int) -> str:
        then = utcnow() - timedelta(hours=hours_ago)
        with terminal.app.app_context():
            db.session.execute(delete(Notice))
            db.session.add(Notice(dedupe="1", kind="job_failed", state=state, created_at=then, due_at=then))
            db.session.commit()
            db.session.remove()
        return next(name for name in lines(terminal.invoke(args=["doctor"])) if "Messages" in name)

    assert [noted(Delivery.DEAD, 7 * 24 - 1), noted(Delivery.DEAD, 7 * 24 + 1)] == ["✗ Messages", "✓ Messages"]
    assert [noted(Delivery.DUE, 1), noted(Delivery.DUE, 0)] == ["✗ Messages", "✓ Messages"]


def test_each_failure_has_a_remedy_and_no_check_is_skipped(tmp_path: Path, monkeypatch, usual_database) -> None:
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    app = cast.make_app(tmp_path, DEFAULT_LOCALE="en", DEFAULT_SOURCE="nowhere", **usual_database)
    (tmp_path / "data" / "sources").mkdir(exist_ok=True)
    (tmp_path / "data" / "sources" / "bad.toml").write_text("no recipe")
    with app.app_context():
        db.drop_all()
        db.engine.dispose()
    answer = app.test_cli_runner().invoke(args=["doctor"])
    said = lines(answer)
    assert answer.exit_code == 1
    assert "flask --app app db upgrade" in said["✗ Migrations"]
    assert "Check REDIS_URL" in said["✗ Redis"]
    assert "✓ Database" in said and "✓ Storage" in said
    assert "✗ Sources" in said
    for look in ("✗ Maintenance", "✗ Messages"):
        assert "see Migrations" in said[look], "the database does answer"
    assert "Exception" not in answer.output and "Traceback" not in answer.output


def test_a_test_email_uses_tls_and_login(portal: Callable[..., FlaskCliRunner], tmp_path: Path) -> None:
    certified = certificate(tmp_path / "tls")
    with smtp_server(certified) as mail_server:
        mail = {
            "MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(mail_server.port), "MAIL_USE_TLS": "1", "MAIL_USERNAME": USER,
            "MAIL_PASSWORD": PASSWORD, "MAIL_CA_FILE": str(certified[0]),
        }  # fmt: skip
        terminal = portal(**mail)
        assert terminal.invoke(args=["doctor"]).exit_code == 0 and mail_server.messages == []
        answer = terminal.invoke(args=["doctor", "--mail-to", "ops@example.com"])
        assert answer.exit_code == 0, answer.output
        assert mail_server.to == [["ops@example.com"]] and mail_server.secure == [True]
        refused = portal(**mail | {"MAIL_PASSWORD": "wrong"}).invoke(args=["doctor"])
        assert refused.exit_code == 1 and "535" in lines(refused)["✗ Email"]
        assert "wrong" not in refused.output and PASSWORD not in refused.output


def test_it_reports_a_mail_server_that_refuses_or_is_away(portal: Callable[..., FlaskCliRunner]) -> None:
    with smtp_server() as mail_server:
        terminal = portal(MAIL_SERVER="127.0.0.1", MAIL_PORT=str(mail_server.port))
        mail_server.script += ["554 5.7.1 Not from you"]
        answer = terminal.invoke(args=["doctor", "--mail-to", "ops@example.com"])
        assert answer.exit_code == 1 and "554 5.7.1 Not from you" in lines(answer)["✗ Email"]
        assert terminal.invoke(args=["doctor", "--mail-to", "nobody"]).exit_code == 1
    away = portal(MAIL_SERVER="127.0.0.1", MAIL_PORT=str(services.free_port())).invoke(args=["doctor"])
    assert away.exit_code == 1 and "Check MAIL_SERVER" in lines(away)["✗ Email"]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"MAIL_USE_TLS": "1", "MAIL_USE_SSL": "1"}, "MAIL_USE_SSL"),
        ({"MAIL_PASSWORD": "opensesame"}, "MAIL_USERNAME"),
        ({"MAIL_DEFAULT_SENDER": "nobody"}, "MAIL_DEFAULT_SENDER"),
        ({"MAIL_DEFAULT_SENDER": "a@b.example\nBcc: c@d.example"}, "MAIL_DEFAULT_SENDER"),
        ({"MAIL_PORT": "smtp"}, "MAIL_PORT"),
        ({"MAIL_CA_FILE": "/nowhere/ca.pem"}, "MAIL_CA_FILE"),
    ],
)
def test_invalid_mail_settings_are_refused_by_name(tmp_path: Path, settings: dict[str, str], names: str) -> None:
    with pytest.raises(SettingError, match=names) as refused:
        read_settings({"PORTAL_DATA_DIR": str(tmp_path), **settings})
    assert "opensesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("abilities", "words"),
    [
        ({"landlock": True, "seccomp": True}, "can open only that file and cannot use the network"),
        ({"landlock": False, "seccomp": True}, "This machine’s kernel lacks Landlock"),
        ({"landlock": False, "seccomp": False}, "This machine’s kernel lacks Landlock, seccomp"),
    ],
)
def test_it_says_how_far_the_reading_of_files_is_confined(
    app: Flask, monkeypatch: pytest.MonkeyPatch, abilities: dict[str, bool], words: str
) -> None:
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setattr(sandbox, "abilities", lambda: abilities)
    said = lines(app.test_cli_runner().invoke(args=["doctor"]))
    assert words in said["✓ Reading of files"], "an older kernel is not the portal's fault"

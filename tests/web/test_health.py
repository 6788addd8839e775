"""What operators ask: is the process alive, is the portal ready."""

from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.job_tables import SweepState
from tests.support import cast


def swept(minutes_ago: float) -> None:
    db.session.add(SweepState(id=1, ended_at=utcnow() - timedelta(minutes=minutes_ago)))
    db.session.commit()


def test_the_process_answers_whatever_else_is_away(client) -> None:
    assert client.get("/healthz").get_data(as_text=True) == "ok\n"


def test_what_is_missing_is_named(client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {"ready": False, "missing": ["redis", "sweep"]}


def test_a_database_without_tables_is_missing(app: Flask, client: FlaskClient) -> None:
    swept(0)
    assert "database" not in client.get("/readyz").get_json()["missing"]
    db.drop_all()
    assert client.get("/readyz").get_json()["missing"] == ["database", "redis", "sweep"]


def test_everything_there_is_ready(tmp_path: Path, valkey: str, usual_database: dict[str, str]) -> None:
    app = cast.make_app(tmp_path, REDIS_URL=valkey, **usual_database)
    with app.app_context():
        swept(2)
        assert app.test_client().get("/readyz").get_json() == {"ready": True, "missing": []}
        db.session.remove()
        db.engine.dispose()


def test_a_sweep_that_is_three_intervals_late_is_missed(client) -> None:
    swept(3.5)
    assert "sweep" in client.get("/readyz").get_json()["missing"]

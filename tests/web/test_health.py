"""What operators ask: is the process alive, is the portal ready, and how is it in figures."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from portal.accounts import User
from portal.clock import utcnow
from portal.config import ROOT
from portal.database import db
from portal.jobs.core.job_tables import SweepState
from portal.jobs.health.prometheus import FIGURES
from portal.jobs.models import ScrapingJob
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


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_balancer_may_ask_under_a_machines_own_address(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code in (200, 503)
    assert client.post(path, headers={"Host": "10.0.0.7:8000"}).status_code == 400


def figures(page: str) -> dict[str, float]:
    """Every figure by its name and label."""
    return {
        " ".join([sample.name.removeprefix("masterfilter_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_portal(
    client: FlaskClient, alice: User, make_job: Callable[..., ScrapingJob]
) -> None:
    swept(0)
    make_job(alice), make_job(alice)
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain")
    found = figures(answer.text)
    assert (found["jobs pending"], found["jobs completed"], found["queue_waiting scrape"]) == (2, 0, 2)
    assert (found["part_state redis"], found["part_state database"], found["workers scrape"]) == (2, 0, 0)
    assert found["queue_oldest_timestamp_seconds scrape"] <= found["sweep_ended_timestamp_seconds"] + 1
    assert "queue_oldest_timestamp_seconds intake" not in found and found["disk_free_bytes"] > 0
    assert "alice" not in answer.text


def test_figures_come_without_the_database(client: FlaskClient) -> None:
    db.drop_all()
    found = figures(client.get("/metrics").text)
    assert found["part_state database"] == found["part_state sweep"] == 2
    assert "jobs pending" not in found


def test_figures_are_for_this_machine_unless_there_is_a_token(app: Flask, client: FlaskClient) -> None:
    away = {"REMOTE_ADDR": "10.0.0.9"}
    assert client.get("/metrics", environ_base=away).status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 404, "a proxy asks for others"
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "::ffff:127.0.0.1"}).status_code == 200
    assert client.get("/metrics", headers={"Host": "evil.example"}).status_code == 400, "a name that leads here"
    app.config["TRUSTED_HOSTS"] = ["localhost", "portal.example"]
    assert client.get("/metrics", headers={"Host": "portal.example"}).status_code == 404, "a silent proxy"
    for token, status in (("", 404), ("t" * 40, 200)):
        app.config["METRICS_TOKEN"] = token
        sent = {"Authorization": f"Bearer {token}", "Host": "10.0.0.7:8000"}
        assert client.get("/metrics", environ_base=away, headers=sent).status_code == status
        assert client.get("/metrics", environ_base=away, headers={"Authorization": "Bearer x"}).status_code == 404


def test_the_documentation_has_every_figure() -> None:
    page = (ROOT / "docs" / "scale.md").read_text()
    for name, (about, label) in FIGURES.items():
        shown = f"`masterfilter_{name}`" + (f" by `{label}`" if label else "")
        assert f"| {shown} | {about} |" in page

"""Machines report themselves, and each says what it lacks beside the others."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner

from portal.clock import utcnow
from portal.config import SettingError, read_settings
from portal.database import db
from portal.jobs.health import checks, hosts
from portal.jobs.health.hosts import Host, HostReporter, key_mark
from portal.sources import catalogue
from tests.sources.test_catalogue import write
from tests.support.databases import ON_BOTH

OTHERS_KEY = "another key of at least 32 characters"


@pytest.fixture(autouse=True)
def recipes(app: Flask, tmp_path: Path) -> Iterator[Path]:
    """An empty folder of recipes."""
    (folder := tmp_path / "sources").mkdir()
    catalogue.configure(None, folder, {"TEST_KEY": "x"})
    yield folder
    catalogue.configure(None, tmp_path / "nothing", {})


def add(name: str, at: datetime, **more: Any) -> None:
    facts = {"role": "worker", "disk_free": 10**10, "disk_total": 10**11, "key_mark": "k", "sources": [], "missing": []}
    db.session.merge(Host(name=name, first_seen_at=at, seen_at=at, skew_seconds=0.1, **facts | more))
    db.session.commit()


def missing(app: Flask, now: datetime) -> list[str]:
    db.session.rollback()
    return hosts.missing_here(app.extensions["storage"], app.config, now)


@ON_BOTH
def test_a_machine_reports_itself(app: Flask) -> None:
    app.config["PORTAL_MACHINE"] = "one"
    now = utcnow()
    reporter = HostReporter(app, now)
    reporter.tick(now)
    reporter.tick(now + timedelta(seconds=1))
    (found,) = hosts.hosts(now)
    assert (found.name, found.role, found.seen_at, found.missing) == ("one", "all", now, [])
    assert 0 < found.disk_free <= found.disk_total and found.key_mark == key_mark(app.config["SECRET_KEY"])
    reporter.tick(now + timedelta(seconds=16))
    (found,) = hosts.hosts(now)
    assert (found.first_seen_at, found.seen_at) == (now, now + timedelta(seconds=16))
    assert hosts.delete_old(now + timedelta(days=2)) == 1


def test_without_the_database_it_goes_on(app: Flask, tmp_path: Path) -> None:
    app.config["DATABASE_URL"] = f"sqlite:///{tmp_path}/not/there.db"
    HostReporter(app, utcnow()).tick(utcnow())


def test_a_machine_with_another_key_than_the_oldest_says_so(app: Flask) -> None:
    now = utcnow()
    app.config["PORTAL_MACHINE"] = "two"
    assert missing(app, now) == [], "alone"
    add("one", now, key_mark=key_mark(OTHERS_KEY))
    assert missing(app, now) == ["key"]
    assert missing(app, now + timedelta(minutes=5)) == [], "the other one is gone"
    app.config["SIGNING_KEYS"] = [OTHERS_KEY, app.config["SECRET_KEY"]]
    assert missing(app, now) == [], "it has it as an earlier one"
    app.config["SIGNING_KEYS"] = [app.config["SECRET_KEY"]]
    add("two", now - timedelta(seconds=30), key_mark=key_mark(app.config["SECRET_KEY"]))
    assert missing(app, now) == [], "this one was first"


def test_a_machine_that_lacks_a_source_of_another_says_so(app: Flask, recipes: Path) -> None:
    now = utcnow()
    add("elsewhere", now, key_mark=key_mark(app.config["SECRET_KEY"]), sources=["one"])
    assert missing(app, now) == ["recipes"]
    write(recipes)
    assert missing(app, now) == [], "it is read at once"


def test_readyz_and_the_page_name_what_is_missing(
    app: Flask, client: FlaskClient, as_ada: FlaskClient, runner: FlaskCliRunner
) -> None:
    now = utcnow()
    assert "machines-head" not in as_ada.get("/admin/health").text
    assert {one.part for one in checks.findings(now)} & {"storage", "key", "recipes"} == {"storage"}
    add("one", now - timedelta(seconds=1), key_mark=key_mark(OTHERS_KEY), sources=["one"])
    add("two", now, missing=["storage"])
    app.extensions["storage"].check = lambda: (_ for _ in ()).throw(OSError("away"))
    expected = ["storage", "key", "recipes"]
    assert [part for part in client.get("/readyz").json["missing"] if part in expected] == expected
    done = runner.invoke(args=["ready"])
    assert done.exit_code == 1 and [part for part in done.output.split() if part in expected] == expected
    page = as_ada.get("/admin/health").text
    assert 'data-machine="one" data-state="well"' in page and 'data-machine="two" data-state="bad"' in page
    assert "Stored files" in page and "It is not the same as on the other machines." in page


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "SECRET_KEY", "STORAGE_URL"])
def test_a_machine_for_a_part_of_the_work_shares_everything(tmp_path: Path, name: str) -> None:
    shared = {
        "PORTAL_DATA_DIR": str(tmp_path), "PORTAL_ROLE": "worker", "DATABASE_URL": "postgresql://db/portal",
        "REDIS_URL": "redis://queue", "SECRET_KEY": "k" * 32, "STORAGE_URL": "/shared",
    }  # fmt: skip
    assert read_settings(shared)["PORTAL_ROLE"] == "worker"
    with pytest.raises(SettingError, match=name):
        read_settings({**shared, name: ""})
    with pytest.raises(SettingError, match="PostgreSQL"):
        read_settings({**shared, "DATABASE_URL": "sqlite:////shared/portal.db"})

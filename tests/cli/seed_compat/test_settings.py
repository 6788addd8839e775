"""The variables of the seed's `.env` reach new jobs and the scheduler."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis
from rq_scheduler import Scheduler

from portal import config
from portal.config import ROOT, SettingError, read_settings
from portal.jobs.worker.scheduler import SCHEDULE_ID
from tests.services import dies_with_us, signal, stop, wait_until
from tests.support import cast

SEEDS = """
# Tiempo de timeout en minutos
SCRAPING_TIMEOUT_MINUTES=45

# Máximo de reintentos
SCRAPING_MAX_RETRIES=5

# Intervalo de verificación automática (cron)
SCRAPING_CHECK_INTERVAL=15
"""


def test_the_seeds_env_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(SEEDS)
    monkeypatch.setattr(config, "ROOT", tmp_path)
    for name in ("SCRAPING_TIMEOUT_MINUTES", "SCRAPING_MAX_RETRIES", "SCRAPING_CHECK_INTERVAL"):
        monkeypatch.delenv(name, raising=False)
    settings = read_settings()
    assert settings["SCRAPING_TIMEOUT_MINUTES"] == 45
    assert settings["SCRAPING_MAX_RETRIES"] == 5
    assert settings["SCRAPING_CHECK_INTERVAL"] == 15


def test_a_new_job_takes_its_limits_from_the_settings(tmp_path: Path) -> None:
    app = cast.make_app(tmp_path, SCRAPING_TIMEOUT_MINUTES="45", SCRAPING_MAX_RETRIES="5")
    with app.app_context():
        job = cast.make_job(app, cast.make_user("alice@example.com"))
        assert (job.timeout_minutes, job.max_retries) == (45, 5)
        cast.db.session.remove()
        cast.db.engine.dispose()


def test_the_seeds_defaults(tmp_path: Path) -> None:
    settings = read_settings({"PORTAL_DATA_DIR": str(tmp_path)})
    assert (settings["SCRAPING_TIMEOUT_MINUTES"], settings["SCRAPING_MAX_RETRIES"]) == (30, 3)
    with pytest.raises(SettingError, match="SCRAPING_MAX_RETRIES"):
        read_settings({"PORTAL_DATA_DIR": str(tmp_path), "SCRAPING_MAX_RETRIES": "many"})


def test_the_scheduler_uses_the_interval(tmp_path: Path, valkey: str) -> None:
    cast.make_app(tmp_path)
    given = {"PORTAL_DATA_DIR": str(tmp_path / "data"), "REDIS_URL": valkey, "SCRAPING_CHECK_INTERVAL": "15"}
    scheduler = subprocess.Popen(
        [sys.executable, "worker.py", "scheduler"],
        cwd=ROOT, env={**os.environ, **given}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=dies_with_us(signal.SIGKILL),
    )  # fmt: skip
    try:
        with Redis.from_url(valkey) as redis:
            key = Scheduler.scheduled_jobs_key
            wait_until(lambda: (redis.zscore(key, SCHEDULE_ID) or 0) > time.time() + 60, 20, "the next sweep is due")
            assert 14 * 60 < redis.zscore(key, SCHEDULE_ID) - time.time() <= 15 * 60
    finally:
        stop(scheduler)


@pytest.mark.parametrize(
    ("name", "address"), [("DATABASE_URL", "mysql://portal:hidden@db/portal"), ("REDIS_URL", "http://:hidden@redis/0")]
)
def test_a_refused_address_is_not_printed(tmp_path: Path, name: str, address: str) -> None:
    with pytest.raises(SettingError, match=f"{name} must be an address") as refused:
        read_settings({"PORTAL_DATA_DIR": str(tmp_path), name: address})
    assert "hidden" not in str(refused.value)

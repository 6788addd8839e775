"""Gunicorn's settings for the pages. deploy/supervisord.conf starts it."""

import os
from typing import Any

from portal.config import read_settings
from portal.documents.reader.sandbox import not_dumpable
from portal.jobs.health.hosts import report_in_background
from portal.tether import die_with

_settings = read_settings()
_host = _settings["PORTAL_HOST"]

bind = f"[{_host}]:{_settings['PORTAL_PORT']}" if ":" in _host else f"{_host}:{_settings['PORTAL_PORT']}"
worker_class = "portal.runner.web_worker.PatientWorker"  # gthread, but slow clients hold no thread of the pages
workers = 2
threads = 8
preload_app = True  # keeps one copy of the application in memory; it opens no connection before the fork
timeout = 60
graceful_timeout = 10
keepalive = 5
control_socket_disable = True  # else gunicorn creates one in the home directory
forwarded_allow_ips = ""  # only TRUSTED_PROXIES decides whose X-Forwarded-… headers are trusted
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - a worker's heartbeat must not wait for a disk


def post_worker_init(worker: Any) -> None:
    """Let each of gunicorn's workers report this machine, and hand streams over to the process that holds them."""
    report_in_background(worker.app.wsgi())
    worker.streams = str(_settings["EVENTS_SOCKET"])


def post_fork(server: Any, worker: Any) -> None:
    """Let gunicorn's workers die with it; otherwise they would survive a `kill -9` of gunicorn and keep the port.
    Their memory and environment, with its secrets, are theirs alone."""
    die_with(worker.ppid)
    not_dumpable()

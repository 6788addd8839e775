"""Gunicorn's settings for the streams of events (docs/live.md). deploy/supervisord.conf starts it.

It imports little: what is imported here is loaded before gevent changes Python's own waiting into its own.
"""

import os
from typing import Any

from portal.config import read_settings
from portal.tether import die_with

_settings = read_settings()

bind = f"unix:{_settings['EVENTS_SOCKET']}"  # the pages' processes hand connections over here; nobody else can enter
umask = 0o077
worker_class = "portal.runner.events_worker.EventsWorker"
workers = 1  # one subscription, and each change is rendered once
worker_connections = 10_200  # a few more than portal/web/live/hub.py takes: those get the answer that they should poll
backlog = 4096  # Linux takes no more unless it is told to (net.core.somaxconn)
timeout = 60
graceful_timeout = 5
keepalive = 0
control_socket_disable = True
forwarded_allow_ips = ""
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - a worker's heartbeat must not wait for a disk


def post_fork(server: Any, worker: Any) -> None:
    """Let the worker die with gunicorn."""
    die_with(worker.ppid)


def post_worker_init(worker: Any) -> None:
    """Let the application hold streams in this process. Imported here, after gevent's changes."""
    from portal.documents.reader.sandbox import not_dumpable
    from portal.web.live.stream import serve

    not_dumpable()
    worker.on_stop = serve(worker.app.wsgi()).close

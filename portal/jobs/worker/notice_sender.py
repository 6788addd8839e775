"""Sends the notices from a thread of the scheduler's process, where nothing else has to wait for a slow mail server.

A sweep may take a minute in all, and a mail server that scans a message may need ten. While this process is alive, the
sweep leaves the notices to it; without it (a sweep run by cron) they are sent by the sweep itself.
"""

import threading

import structlog
from flask import Flask

from portal.clock import utcnow
from portal.database import db
from portal.notices.delivery import send_due
from portal.notices.email.smtp import ANSWER_SECONDS

log = structlog.get_logger(__name__)

SECONDS = 5.0  # between two passes


class NoticeSender(threading.Thread):
    """Sends what is due every few seconds until the process ends. No error ends it."""

    def __init__(self, app: Flask, stop: threading.Event) -> None:
        super().__init__(name="notice-sender", daemon=True)
        self._app = app
        self._stop_asked = stop
        self._trouble = ""

    def run(self) -> None:
        while not self._stop_asked.wait(SECONDS):
            with self._app.app_context():
                self._pass()

    def _pass(self) -> None:
        try:
            for _ in send_due(utcnow(), patience_seconds=ANSWER_SECONDS):
                pass
            self._trouble = ""
        except Exception as error:  # the database is away: the next pass tries again
            if self._trouble != (trouble := type(error).__name__):
                log.warning("notices are not sent", error=repr(error)[:300])
            self._trouble = trouble
        finally:
            db.session.remove()

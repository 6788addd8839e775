"""Kill the sender at its lines, from reading the due notices to recording that one was sent.

Each run picks some lines at random; KILL_STRIDE=1 kills at every line, as `make chaos` does (a minute or two).
"""

import os
import random
import signal
import sys
from datetime import timedelta
from types import FrameType
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.database import db
from portal.notices import delivery, digests, outbox
from portal.notices.delivery import send_due
from portal.notices.email import email_channel, smtp
from portal.notices.models import Delivery, Notice
from portal.notices.outbox import write
from tests.support import cast
from tests.support.cast import NOW
from tests.support.smtp_server import SmtpServer

MODULES = {str(module.__file__) for module in (digests, email_channel, smtp, delivery, outbox)}
FACTS = {"file_name": "clientes.xlsx", "total": 9, "ready": 4, "cause": {"en": "No answer."}, "reference": "SJ-1-A1"}
FILES = 3
STRIDE = int(os.environ.get("KILL_STRIDE", "24"))


def die_at(nth: int) -> Any:
    """A tracer that kills the process just before the nth new line runs."""
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename not in MODULES:
            return None
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
            if len(seen) == nth:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def send_and_die(nth: int, now: Any) -> bool:
    """Send the due notices in a child process that dies at its nth line; False if it ended before that line."""
    db.session.remove()
    pid = os.fork()
    if pid == 0:
        try:
            db.engine.dispose(close=False)
            sys.settrace(die_at(nth))
            list(send_due(now))
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def write_failures(count: int, wave: int, at: Any) -> None:
    """Write `count` failed files of one new person."""
    user = cast.make_user(f"person{wave}@example.com")
    for n in range(count):
        write(f"job-failed.{wave}-{n}.1", "job_failed", user.id, None, FACTS, at)
    db.session.commit()


def kill_at_every_line(mail_server: SmtpServer, files: int) -> tuple[int, int]:
    """Returns how many kills there were, and how many e-mails arrived twice."""
    line = random.randint(1, STRIDE)
    print(f"first line {line}, then every {STRIDE}th")
    kills, doubles, killed = 0, 0, True
    while killed:
        at = NOW + kills * timedelta(hours=1)
        write_failures(files, kills, at)
        mail_server.messages.clear()
        killed = send_and_die(line, at)
        line += STRIDE
        came = len(mail_server.messages)
        assert len(list(send_due(at))) <= 1  # sent now if it was not taken; if it was, it is not due again yet
        list(send_due(at + timedelta(minutes=3)))
        assert list(send_due(at + timedelta(minutes=50))) == []
        ids = {str(message["Message-ID"]) for message in mail_server.messages}
        assert len(ids) == 1, f"kill {kills}: one email, whatever happened"
        if len(mail_server.messages) > 1:
            assert len(mail_server.messages) == 2 and came == 1, f"kill {kills}: sent twice without a 250"
            doubles += 1
        left = set(db.session.scalars(select(Notice.state)))
        assert left <= {Delivery.SENT, Delivery.FOLDED}, f"kill {kills}"
        kills += 1
    return kills - 1, doubles


def test_a_killed_sender_loses_no_email_and_repeats_one_only_after_the_250(
    posting_app: Flask, mail_server: SmtpServer
) -> None:
    kills, doubles = kill_at_every_line(mail_server, 1)
    print(f"{kills} kills, {doubles} emails twice")
    assert kills >= 50 // STRIDE and doubles < 2 + kills / 3
    assert doubles or STRIDE > 1, "no kill came after the server's 250: the count of doubles proves nothing"


def test_a_killed_sender_loses_no_part_of_a_digest(posting_app: Flask, mail_server: SmtpServer) -> None:
    kills, _ = kill_at_every_line(mail_server, FILES)
    digests = db.session.scalars(select(Notice).where(Notice.kind == "failed_digest")).all()
    assert len(digests) == kills + 1 and {digest.facts["count"] for digest in digests} == {FILES}

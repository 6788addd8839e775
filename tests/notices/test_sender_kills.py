"""The sender's process is killed at its lines, from the look at what is due to the note that it was sent: at some of
them by chance in each run, at every one of them with KILL_STRIDE=1 (as `make chaos` does; it takes a minute or two)."""

import os
import random
import signal
import sys
from datetime import timedelta
from pathlib import Path
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
from tests.support.postoffice import PostOffice

ROOMS = {Path(str(room.__file__)).name: str(room.__file__) for room in (digests, email_channel, smtp, delivery, outbox)}
FACTS = {"file_name": "clientes.xlsx", "total": 9, "ready": 4, "cause": {"en": "No answer."}, "reference": "SJ-1-A1"}
TELLERS = 3
STRIDE = int(os.environ.get("KILL_STRIDE", "24"))


def die_at(nth: int) -> Any:
    """A tracer that kills the process when the nth line that had not run before is about to run."""
    seen: set[tuple[str, int]] = set()
    files = set(ROOMS.values())

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
            if len(seen) == nth:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def send_and_die(nth: int, now: Any) -> bool:
    """Send what is due in a process of its own, which dies at its nth line; whether it came that far."""
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


def told(count: int, wave: int, at: Any) -> None:
    """So many files of one new person stop."""
    user = cast.make_user(f"person{wave}@example.com")
    for n in range(count):
        write(f"job-failed.{wave}-{n}.1", "job_failed", user.id, None, FACTS, at)
    db.session.commit()


def kill_at_every_line(office: PostOffice, files: int) -> tuple[int, int]:
    """(how many kills, how many letters came twice)"""
    line = random.randint(1, STRIDE)
    print(f"first line {line}, then every {STRIDE}th")
    kills, doubles, killed = 0, 0, True
    while killed:
        at = NOW + kills * timedelta(hours=1)
        told(files, kills, at)
        office.messages.clear()
        killed = send_and_die(line, at)
        line += STRIDE
        came = len(office.messages)
        assert len(list(send_due(at))) <= 1  # not yet taken: it goes out now; taken: nobody has it back before its time
        list(send_due(at + timedelta(minutes=3)))
        assert list(send_due(at + timedelta(minutes=50))) == []
        ids = {str(message["Message-ID"]) for message in office.messages}
        assert len(ids) == 1, f"kill {kills}: one letter, whatever happened"
        if len(office.messages) > 1:
            assert len(office.messages) == 2 and came == 1, f"kill {kills}: doubled though the server had said no yes"
            doubles += 1
        left = set(db.session.scalars(select(Notice.state)))
        assert left <= {Delivery.SENT, Delivery.FOLDED}, f"kill {kills}"
        kills += 1
    return kills - 1, doubles


def test_a_letter_whose_sender_is_killed_at_any_line_comes_and_twice_only_after_the_servers_yes(
    posting_app: Flask, office: PostOffice
) -> None:
    kills, doubles = kill_at_every_line(office, 1)
    print(f"{kills} kills, {doubles} letters twice")
    assert kills >= 50 // STRIDE and doubles < 2 + kills / 3
    assert doubles or STRIDE > 1, "no kill came after the server's yes: the count of doubles proves nothing"


def test_a_digest_whose_sender_is_killed_at_any_line_comes_whole(posting_app: Flask, office: PostOffice) -> None:
    kills, _ = kill_at_every_line(office, TELLERS)
    digests = db.session.scalars(select(Notice).where(Notice.kind == "failed_digest")).all()
    assert len(digests) == kills + 1 and {digest.facts["count"] for digest in digests} == {TELLERS}

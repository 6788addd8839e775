"""Prints once, when /readyz succeeds, that the portal is ready, and the link that creates the first administrator.

It is one of supervisord's programs and ends after printing. It must not know what ready means: it only asks /readyz.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import Any

from portal.config import ROOT, read_settings
from portal.runner import words
from portal.tether import signal_when_parent_dies

LATE_SECONDS = 30.0
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - the address to connect to, not to listen on


def missing_parts(host: str, port: int) -> list[str] | None:
    """Return the parts that /readyz still waits for: empty once ready, None while the web process does not answer."""
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = json.loads(answer.read())
        return [] if answer.status == 200 else list(body["missing"])
    except (OSError, HTTPException, ValueError, KeyError):
        return None
    finally:
        connection.close()


def ask_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the portal's commands, which ends with this process."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", *arguments],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, preexec_fn=partial(signal_when_parent_dies, signal.SIGKILL),
    )  # fmt: skip


def parts_a_worker_lacks() -> list[str] | None:
    """Return the same on a machine that serves no pages, from a command; None when it does not work. The command waits
    itself: to start it takes as long as a worker's start, beside which it runs."""
    done = ask_command("ready", "--wait", str(LATE_SECONDS))
    return done.stdout.split() if done.returncode in (0, 1) else None


def wait(missing_now: Callable[[], list[str] | None]) -> None:
    """Wait until nothing is missing, and print every half minute what still is."""
    late_at = time.monotonic() + LATE_SECONDS
    while (missing := missing_now()) != []:
        if time.monotonic() > late_at:
            print(words.in_both_languages(words.NOT_READY, missing=", ".join(missing or ["web"])), flush=True)
            late_at += LATE_SECONDS
        time.sleep(0.1)


def setup_address() -> str:
    """Return the one-time address that creates the first administrator; empty when there is an administrator."""
    done = ask_command("setup-address")
    return done.stdout.strip() if done.returncode == 0 else ""


def announce(settings: dict[str, Any]) -> None:
    """Wait, then print the portal's address and, on a fresh database, the set-up address; on a machine that serves no
    pages, only that it is ready."""
    if settings["PORTAL_ROLE"] == "worker":
        wait(parts_a_worker_lacks)
        print(words.in_both_languages(words.WORKS, machine=settings["PORTAL_MACHINE"]), flush=True)
        return
    host = settings["PORTAL_HOST"]
    wait(partial(missing_parts, ANYWHERE.get(host, host), settings["PORTAL_PORT"]))
    lines = [words.in_both_languages(words.READY, address=settings["PUBLIC_URL"])]
    if address := setup_address():
        lines.append(words.in_both_languages(words.SETUP_ADDRESS, address=address))
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    announce(read_settings())

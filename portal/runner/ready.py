"""Say once, when every part answers, that the portal is ready, and how the first administrator gets in.

One of supervisord's programs, which ends when it has spoken. It asks /readyz as anybody could, and must not know
what ready means.
"""

import json
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from typing import Any

from portal.config import ROOT, read_settings
from portal.runner import words

LATE_SECONDS = 30.0
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what to ask, not where to listen


def what_is_missing(host: str, port: int) -> list[str] | None:
    """What /readyz still waits for: nothing once it is ready, None when nobody answers yet."""
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


def wait(host: str, port: int) -> None:
    """Wait until it is ready, and say every half minute what is still missing."""
    late_at = time.monotonic() + LATE_SECONDS
    while (missing := what_is_missing(host, port)) != []:
        if time.monotonic() > late_at:
            print(words.both(words.NOT_READY, missing=", ".join(missing or ["web"])), flush=True)
            late_at += LATE_SECONDS
        time.sleep(0.1)


def set_up_address() -> str:
    """The one-time address for the first administrator; empty when there is one already."""
    command = [sys.executable, "-m", "flask", "--app", "app", "setup-address"]
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    return done.stdout.strip() if done.returncode == 0 else ""


def announce(settings: dict[str, Any]) -> None:
    """Wait, then print where the portal is and, on a fresh database, the set-up address."""
    host = settings["PORTAL_HOST"]
    wait(ANYWHERE.get(host, host), settings["PORTAL_PORT"])
    lines = [words.both(words.READY, address=settings["PUBLIC_URL"])]
    if address := set_up_address():
        lines.append(words.both(words.SET_UP, address=address))
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    announce(read_settings())

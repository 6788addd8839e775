"""The webhook's body, headers and signature. docs/webhooks.md describes them for receivers, and a test runs its
examples. This module sends nothing.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from portal.causes import CAUSES
from portal.notices.facts import cause_in_every_language
from portal.notices.kinds import NoticeKind
from portal.notices.models import Notice

KEY_START = "mfwh_"  # so that a key found in a file can be recognised
EVENTS = {
    NoticeKind.JOB_FAILED: "job.failed",
    NoticeKind.JOB_COMPLETED: "job.completed",
    NoticeKind.JOB_FIXED: "job.completed",
}


def new_secret() -> str:
    """A random signing key, never used for anything else."""
    return KEY_START + secrets.token_urlsafe(32)


def event_of(kind: NoticeKind) -> str:
    """The event name of a kind, as receivers see it."""
    return EVENTS.get(kind, "test")


def body_of(notice: Notice, home: str, now: datetime) -> bytes:
    """The body as JSON. It contains no telephone number and no secret link: `url` requires a sign-in."""
    body: dict[str, Any] = {
        "event": event_of(notice.kind),
        "id": notice.dedupe,
        "happened_at": _formatted(notice.created_at),
        "sent_at": _formatted(now),
    }
    if notice.job_id is not None:
        facts = notice.facts
        words, code = cause_in_every_language(facts), facts.get("cause_code")
        code = code if code in CAUSES else None  # a text written by hand is no code that a program could know
        body["job"] = {
            "id": notice.job_id,
            "file_name": facts["file_name"],
            "status": facts["status"],
            "fixed": notice.kind == NoticeKind.JOB_FIXED or bool(facts.get("fixed")),
            "total": facts["total"],
            "ready": facts["ready"],
            "found": facts["found"],
            "unanswered": facts["total"] - facts["ready"],
            "attempts": facts["attempts"],
            "cause": {"code": code, "words": words} if words else None,
            "reference": facts["reference"],
            "url": f"{home}/jobs/{notice.job_id}",
        }
    return json.dumps(body).encode()


def headers_of(notice: Notice, secrets: Sequence[str], body: bytes, now: datetime) -> dict[str, str]:
    """The headers for the body, signed with each key; the present one comes last. The delivery's id is the same at
    every try, also when a person resends it."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Masterfilter-Webhook/1",
        "Masterfilter-Event": event_of(notice.kind),
        "Masterfilter-Delivery": notice.dedupe,
        "Masterfilter-Signature": signature(secrets, body, now),
    }


def example(home: str, now: datetime) -> str:
    """Headers and body of an example message."""
    facts = {"file_name": "clientes.xlsx", "status": "completed", "total": 5000, "ready": 5000, "found": 4801}
    more = {"attempts": 1, "reference": "SJ-1042-A1"}
    kind = NoticeKind.JOB_COMPLETED
    shown = Notice(dedupe="job-completed.1042.1.webhook", kind=kind, job_id=1042, facts={**facts, **more})
    shown.created_at = now
    body = body_of(shown, home, now)
    headers = headers_of(shown, [new_secret()], body, now)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\n".join([*lines, "", json.dumps(json.loads(body), indent=2)])


def signature(secrets: Sequence[str], body: bytes, now: datetime) -> str:
    """The time, and for each key the keyed hash of the time and the body, so an old message cannot be replayed as a new
    one. A program that reads one hash only takes the last."""
    moment = int(now.timestamp())
    signed = f"{moment}.".encode() + body
    digests = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={moment}", *(f"v1={digest}" for digest in digests)])


def _formatted(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

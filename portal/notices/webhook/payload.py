"""What a webhook says and how it is signed: the body, the headers, the key. docs/webhooks.md describes it for those who
receive it, and a test runs what stands there. Pure: it knows no database and no Flask, and sends nothing.
"""

import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime
from typing import Any

from portal.notices.kinds import NoticeKind
from portal.notices.models import Notice

KEY_START = "mfwh_"  # so that whoever finds one in a file knows what it is
EVENTS = {
    NoticeKind.JOB_FAILED: "job.failed",
    NoticeKind.JOB_COMPLETED: "job.completed",
    NoticeKind.JOB_FIXED: "job.completed",
}


def new_secret() -> str:
    """A key for signing: random, and never used for anything else."""
    return KEY_START + secrets.token_urlsafe(32)


def event_of(kind: NoticeKind) -> str:
    """The kind of a notice as the outside calls it."""
    return EVENTS.get(kind, "test")


def body_of(notice: Notice, home: str, now: datetime) -> bytes:
    """The body in JSON. No telephone number is in it, and nothing that opens a door: `url` wants a sign-in."""
    body: dict[str, Any] = {
        "event": event_of(notice.kind),
        "id": notice.dedupe,
        "happened_at": _spelled(notice.created_at),
        "sent_at": _spelled(now),
    }
    if notice.job_id is not None:
        facts = notice.facts
        words = {language: text for language, text in (facts.get("cause") or {}).items() if text}
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
            "cause": {"code": facts.get("cause_code"), "words": words} if words else None,
            "reference": facts["reference"],
            "url": f"{home}/jobs/{notice.job_id}",
        }
    return json.dumps(body).encode()


def headers_of(notice: Notice, secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that go with the body. The delivery's id is the same at every try, also when it is sent again."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Masterfilter-Webhook/1",
        "Masterfilter-Event": event_of(notice.kind),
        "Masterfilter-Delivery": notice.dedupe,
        "Masterfilter-Signature": signature(secret, body, now),
    }


def example(home: str, now: datetime) -> str:
    """Headers and body of a message to look at."""
    facts = {"file_name": "clientes.xlsx", "status": "completed", "total": 5000, "ready": 5000, "found": 4801}
    more = {"attempts": 1, "reference": "SJ-1042-A1"}
    kind = NoticeKind.JOB_COMPLETED
    shown = Notice(dedupe="job-completed.1042.1.webhook", kind=kind, job_id=1042, facts={**facts, **more})
    shown.created_at = now
    body = body_of(shown, home, now)
    headers = headers_of(shown, new_secret(), body, now)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\n".join([*lines, "", json.dumps(json.loads(body), indent=2)])


def signature(secret: str, body: bytes, now: datetime) -> str:
    """The moment, and the keyed hash of the moment and the body: an old message cannot be sent again as a new one."""
    moment = int(now.timestamp())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def _spelled(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

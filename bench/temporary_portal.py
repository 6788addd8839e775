"""A separate portal for the benchmarks: a temporary data directory, and jobs to run."""

import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from portal.accounts import User
from portal.application import build
from portal.clock import utcnow
from portal.config import read_settings
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.models import Document, Reading
from portal.documents.storage import LocalStorage
from portal.jobs import commands
from portal.jobs.models import ScrapingJob
from portal.phone import parse

NOW = datetime(2026, 5, 5, 9, 0, tzinfo=UTC)
# Spanish prefixes in about the shares of a real customer list: mobiles, fixed lines, a few special numbers.
PREFIXES = ("+346", "+346", "+346", "+346", "+347", "+3491", "+3493", "+3496", "+34900")


@contextmanager
def portal(rows: int, **settings: str) -> Iterator[Flask]:
    """Enter an application's context, on SQLite unless `settings` say otherwise; `rows` is the limit for a file."""
    with tempfile.TemporaryDirectory(prefix="masterfilter-bench-") as folder:
        given = {"PORTAL_DATA_DIR": folder, "REDIS_URL": "redis://127.0.0.1:1/0", "MAX_ROWS": str(rows)}
        app = build(read_settings({**given, "LOG_LEVEL": "ERROR", **settings}))
        with app.app_context():
            db.create_all()
            db.session.add(User(id=1, email="bench@example.com", password_hash="-", created_at=utcnow()))
            db.session.commit()
            yield app
            db.session.remove()
            db.engine.dispose()


def lift_timeout(dialect: str) -> None:
    """Lift this transaction's statement timeout: writing a million rows with indexes takes longer than a page may."""
    if dialect == "postgresql":
        db.session.execute(text("SET LOCAL statement_timeout = 0"))


def numbers(count: int) -> list[str]:
    """Make `count` different valid Spanish numbers in E.164, the same ones each time."""
    draw = random.Random(count)
    found: dict[str, None] = {}
    while len(found) < count:
        prefix = draw.choice(PREFIXES)
        e164 = prefix + "".join(draw.choices("0123456789", k=12 - len(prefix)))
        if parse(e164, "ES").reason is None:
            found[e164] = None
    return list(found)


def make_job(app: Flask, e164s: list[str], source: str = "offline") -> ScrapingJob:
    """Create a pending job with these numbers, on a sheet with four columns."""
    storage: LocalStorage = app.extensions["storage"]
    with (Path(app.config["PORTAL_DATA_DIR"]) / "upload").open("w+b") as upload:
        upload.write(b"bench")
        upload.seek(0)
        stored = storage.put(upload)
    rows = [["Cliente", "Teléfono", "Alta", "Saldo"]]
    rows += [[f"Cliente {n}", e164, {"d": "2026-01-31T00:00:00"}, n / 4] for n, e164 in enumerate(e164s)]  # type: ignore[list-item]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    storage.sheet_path(stored.key, 0).write_text(lines)
    facts = {"index": 0, "name": "Clientes", "rows": len(rows), "columns": 4, "header_row": 1, "number_column": 1}
    document = Document(
        user_id=1, file_name="clientes.xlsx", storage_key=stored.key, sha256=stored.sha256, size_bytes=5,
        state=Reading.READY, sheets=[facts], created_at=NOW, read_at=NOW,
    )  # fmt: skip
    db.session.add(document)
    db.session.commit()
    choice = SheetChoice(0, 1, (1,), "ES")
    return commands.start(document, choice, source, db.session.get_one(User, 1), NOW, push=False, at_once=len(rows))

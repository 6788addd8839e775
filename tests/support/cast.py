"""The fixed cast of the tests and what they own: alice owns the file, bob is another user, ada is the admin."""

import json
import sqlite3
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Engine, create_engine, event
from werkzeug.routing import Rule

from portal.accounts import User, passwords
from portal.application import build
from portal.config import read_settings
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.models import Document, Reading
from portal.documents.storage import sheet_part
from portal.jobs import commands, shares
from portal.jobs.models import ScrapingJob

NOW = datetime(2026, 5, 5, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
DEAD_REDIS = "redis://127.0.0.1:1/0"  # no server is there: Redis is "away" unless a test starts one


class _Compiled(BytecodeCache):
    """Keeps the templates that the first application of this run has compiled, as each test makes an application."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if known := self.known.get(bucket.key):
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.known[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()
_FIRST_ENGINE: dict[str, Engine] = {}
_RULES: dict[object, tuple[Any, ...]] = {}


class _Rule(Rule):
    """Shares what it was compiled to between the applications of this run: to compile all ninety addresses takes two
    thirds of the time in which an application is built."""

    def compile(self) -> None:
        key = (self.rule, self.subdomain, self.host, repr(self.defaults), self.merge_slashes)
        if key not in _RULES:
            super().compile()
            builders = (self._compile_builder(False), self._compile_builder(True))
            _RULES[key] = (self._parts, self._trace, self._converters, frozenset(self.arguments), builders)
            return
        self._parts, self._trace, self._converters, arguments, builders = _RULES[key]
        self.arguments |= arguments
        self._build, self._build_unknown = (builder.__get__(self, None) for builder in builders)


Flask.url_rule_class = _Rule

# Argon2 is slow on purpose and hundreds of tests sign in. `tests/web/test_auth.py` looks at what is used otherwise.
PRODUCTION_HASHER, PRODUCTION_DUMMY_HASH = passwords._hasher, passwords._DUMMY_HASH
passwords._hasher = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
passwords._DUMMY_HASH = passwords._hasher.hash("nobody has this password")


@event.listens_for(Engine, "connect")
def _do_not_wait_for_the_disk(connection: Any, record: object) -> None:
    """As tests/support/postgresql.py does: what a test writes need not outlast the machine, only a killed process."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


@cache
def _empty_tables() -> bytes:
    """SQLite's file with all tables and no row. Writing it takes a twentieth of the time of making the tables."""
    with TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/empty.db")
        db.metadata.create_all(engine)
        engine.dispose()
        return (Path(folder) / "empty.db").read_bytes()


def make_app(folder: Path, *, tables: bool = True, **environ: str) -> Flask:
    """An application with its own data directory, and with its tables. `environ` has settings by name."""
    given = {"PORTAL_DATA_DIR": str(folder / "data"), "REDIS_URL": DEAD_REDIS, "PUBLIC_URL": "http://localhost"}
    app = build(read_settings({**given, **environ}))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    app.jinja_env.bytecode_cache = _COMPILED
    if not tables:
        return app
    database = Path(app.config["PORTAL_DATA_DIR"]) / "masterfilter.db"
    if app.config["DATABASE_URL"] == f"sqlite:///{database}" and not database.exists():
        database.write_bytes(_empty_tables())
        with app.app_context():
            _share_statements(db.engine)
    else:
        with app.app_context():
            db.create_all()
    return app


def _share_statements(engine: Engine) -> None:
    """Let SQLite's engines of this run share their compiled statements: each would compile its own again, which takes a
    fifth of the time of a test that asks for pages. They are kept by dialect, so that one is shared as well."""
    first = _FIRST_ENGINE.setdefault("sqlite", engine)
    if first is not engine:
        engine.dialect = engine.pool._dialect = first.dialect
        engine._compiled_cache = first._compiled_cache
    else:
        first.connect().close()  # sets up its dialect
        first._compiled_cache.capacity = 2000  # by default 500


def make_user(email: str, *, admin: bool = False) -> User:
    user = User(
        email=email, password_hash=passwords.hash_password(PASSWORD), is_admin=admin, created_at=NOW, locale="en"
    )
    db.session.add(user)
    db.session.commit()
    return user


def mobile(n: int) -> str:
    """A valid Spanish mobile number, different for each n."""
    return f"6{12000000 + n:08d}"


def make_document(
    app: Flask, user: User, cells: list[Any], name: str = "clientes.xlsx", *, now: datetime = NOW
) -> Document:
    """A document that was read: one sheet with a header row and one column of numbers."""
    storage = app.extensions["storage"]
    content = json.dumps([name, *map(str, cells)]).encode()
    with (storage_tmp := Path(app.config["PORTAL_DATA_DIR"]) / "upload.tmp").open("w+b") as file:
        file.write(content)
        file.seek(0)
        stored = storage.put(file)
    storage_tmp.unlink()
    sheet = storage.sheet_path(stored.key, 0)
    sheet.write_text("\n".join(json.dumps(row) for row in [["Teléfono"], *([cell] for cell in cells)]) + "\n")
    storage.put_derived(stored.key, sheet_part(0))
    facts = {
        "index": 0, "name": "Hoja1", "hidden": False, "rows": len(cells) + 1, "columns": 1, "header_row": 1,
        "number_column": 0, "header": ["Teléfono"], "sample": [[str(cell)] for cell in cells[:10]],
    }  # fmt: skip
    document = Document(
        user_id=user.id, file_name=name, storage_key=stored.key, sha256=stored.sha256, size_bytes=stored.size_bytes,
        state=Reading.READY, sheets=[facts], created_at=now, read_at=now,
    )  # fmt: skip
    db.session.add(document)
    db.session.commit()
    return document


def hold(job: ScrapingJob, now: datetime = NOW, lease_seconds: float = 60, *, worker: str = "w") -> shares.Holding:
    """The hold of a claimed job's first worker, as `run` gets it."""
    held = shares.held_by_worker(job.id, job.attempt, worker) or shares.hold(job, worker, now, lease_seconds)
    db.session.commit()
    return held


def make_job(
    app: Flask, user: User, cells: list[Any] | int = 5, *, source: str = "offline", now: datetime = NOW, **more: Any
) -> ScrapingJob:
    """A pending job with that many numbers, or with these cells, made as a page makes it. `at_once=0`: its first worker
    opens its ledger."""
    if isinstance(cells, int):
        cells = [mobile(n) for n in range(cells)]
    document = make_document(app, user, cells, now=now)
    return commands.start(document, SheetChoice(0, 1, (0,), "ES"), source, user, now, push=False, **more)

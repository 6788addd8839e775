"""A person's own list of files with a hundred thousand of them against the same list with a thousand, on both
databases: each order and filter, a page deep in the list, a text that many files have and one that none has."""

from collections.abc import Iterator

from flask import Flask
from flask.testing import FlaskClient

from bench import admin_pages
from bench.measure import SHORT, Goal
from portal.accounts import User
from portal.accounts.passwords import hash_password
from portal.clock import utcnow
from portal.database import db
from portal.documents.models import Document, Reading

FEW, MANY = 1_000, 20_000 if SHORT else 100_000
NEW_FILES = 10
EMAIL = "person0@example.com"  # who has all jobs

PAGES = {
    "own list": "/",
    "own list by name": "/?sort=name",
    "own list by upload": "/?sort=created",
    "own list of a status": "/?status=completed",
    "own list of what needs the person": "/?status=attention",
    "own list, the 20th page": "/?page=20",
    "own list, a common text": "/?q=file",
    "own list, a text that no file has": "/?q=zzz",
}


def goals() -> Iterator[Goal]:
    """Measure each page."""
    yield from admin_pages.against_few(PAGES, _prepare, few=FEW, many=MANY)


def _prepare(app: Flask, dialect: str, jobs: int) -> FlaskClient:
    admin_pages.make_jobs(app, dialect, jobs, people=1)
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    person = db.session.query(User).filter_by(email=EMAIL).one()
    person.password_hash = hash_password(admin_pages.PASSWORD)
    for n in range(NEW_FILES):
        db.session.add(
            Document(
                user_id=person.id, file_name=f"new {n}.xlsx", storage_key=f"{n:064}", sha256=f"{n:064}", size_bytes=1,
                state=Reading.READY, created_at=utcnow(),
            )
        )  # fmt: skip
    db.session.commit()
    client = app.test_client()
    admin_pages.request(client, "POST", "/login", email=EMAIL, password=admin_pages.PASSWORD)
    return client

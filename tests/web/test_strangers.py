"""Rule 10: you see only what is yours. Every address of the portal is asked for by bob, about what is alice's, and a
new address fails here until it is said who may use it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import Rule

from portal.accounts import User
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.jobs import commands
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.notices.models import Channel, Delivery, Notice
from tests.support import cast, scenes

MakeJob = Callable[..., ScrapingJob]

# What an address may name, and whose it then is.
OWNED = {"document_id", "job_id", "delivery_id"}
# Addresses that name nothing of anybody's: they show and change only what belongs to whoever asks, or nothing.
OWN = {
    "auth.account", "auth.ask", "auth.change_account", "auth.choose", "auth.first_admin", "auth.forgot",
    "auth.login", "auth.code", "auth.enter_code", "auth.logout", "auth.end_sessions", "auth.begin_two_step",
    "auth.two_step_set_up", "auth.confirm_two_step", "auth.renew_recovery_codes", "auth.switch_two_step_off",
    "auth.reset", "auth.setup", "auth.sign_in", "documents.example", "help.index", "help.show",
    "navigation.palette", "sample.begin", "documents.index",
    "documents.upload", "metrics.own", "metrics.own_spending", "metrics.own_table",
    "health.healthz", "health.readyz", "health.metrics", "health.outage_banner",
    "trash.show", "trash.delete_several", "trash.restore_several", "trash.purge_several", "files.download",
    "several.check", "several.start", "events.follow", "jobs.live_list", "locale.look", "numbers.look_up",
    "numbers.paste", "static",
    "webhook.choose", "webhook.renew", "webhook.show", "webhook.send_test",
    "notification_settings.save", "notification_settings.ask_unsubscribe", "notification_settings.unsubscribe",
}  # fmt: skip
ADMINS = ("admin.", "editor.")
FORM = {
    "sheet": "0", "column": "0", "country": "ES", "source": "offline", "header_row": "1", "why": "because",
    "max_retries": "9", "timeout_minutes": "9",
}  # fmt: skip
NAME = "clientes de alicia.xlsx"


def rules(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every address with each of its methods."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            yield rule, method


def addresses(app: Flask, ids: dict[str, int]) -> list[tuple[str, str]]:
    """Method and path of every address that names something, about what has these ids."""
    found = []
    for rule, method in rules(app):
        if not rule.arguments & OWNED:
            continue
        others = rule.arguments - OWNED
        assert others <= {"kind"}, f"{rule}: say here what {others} may be"
        for kind in ["xlsx", "csv"] if others else [""]:
            values: dict[str, Any] = {**ids, "kind": kind}
            built = rule.build({name: values[name] for name in rule.arguments})
            assert built is not None
            found.append((method, built[1]))
    return found


def ids_of(job: ScrapingJob) -> dict[str, int]:
    """What of alice's has a number in an address."""
    sent = db.session.scalars(select(Notice.id).where(Notice.channel == Channel.WEBHOOK)).one()
    return {"document_id": job.document_id, "job_id": job.id, "delivery_id": sent}


def plain(text: str, path: str) -> str:
    """A page without what differs each time: the address that it was asked by, the reference of the request, and the
    token against forged forms, which carries the second in which it was made."""
    return re.sub(
        r'administrator: [0-9a-f]+|"X-CSRFToken": "[^"]+"|name="csrf_token" value="[^"]+"', "", text.replace(path, "")
    )


def everything() -> list[Any]:
    """All that the database has, as it stands."""
    db.session.rollback()
    # But for when a session was last used: asking is no change.
    tables = [table for table in db.metadata.sorted_tables if table.name != "login_sessions"]
    return [db.session.execute(select(table)).all() for table in tables]


@pytest.fixture(params=["completed", "failed", "pending", "processing"])
def job(request: pytest.FixtureRequest, alice: User, app: Flask) -> ScrapingJob:
    """A job of alice's, so that neither page nor button could be refused for another reason than hers."""
    document = cast.make_document(app, alice, [cast.mobile(n) for n in range(5)], NAME)
    choice = SheetChoice(0, 1, (0,), "ES")
    sent = Notice(
        dedupe="a", kind="webhook_test", channel=Channel.WEBHOOK, user_id=alice.id, state=Delivery.SENT,
        created_at=cast.NOW, due_at=cast.NOW,
    )  # fmt: skip
    db.session.add(sent)
    db.session.commit()
    return scenes.in_status(
        commands.start(document, choice, "offline", alice, cast.NOW, push=False), Status(request.param)
    )


def test_every_address_is_somebodys_an_admins_or_ones_own(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        kinds = [bool(rule.arguments & OWNED), rule.endpoint.startswith(ADMINS), rule.endpoint in OWN]
        assert kinds.count(True) == 1, f"{rule} ({rule.endpoint}): say in this file who may use it"


def test_bob_gets_404_for_all_that_is_alices_and_changes_nothing(
    app: Flask, as_bob: FlaskClient, job: ScrapingJob
) -> None:
    ids = ids_of(job)
    before = everything()
    asked = addresses(app, ids)
    assert len(asked) > 15
    for method, path in asked:
        for headers in ({}, {"HX-Request": "true"}):
            answer = as_bob.open(path, method=method, data=FORM if method == "POST" else None, headers=headers)
            assert answer.status_code == 404, (method, path)
            assert NAME not in answer.text and "alice" not in answer.text, (method, path)
    assert everything() == before


def test_a_404_does_not_tell_that_there_is_something(app: Flask, as_bob: FlaskClient, job: ScrapingJob) -> None:
    hers = addresses(app, ids_of(job))
    nobodys = addresses(app, dict.fromkeys(OWNED, 987654))
    for (method, path), (_, nowhere) in zip(hers, nobodys, strict=True):
        about_hers, about_nothing = (as_bob.open(where, method=method) for where in (path, nowhere))
        assert about_hers.status_code == about_nothing.status_code == 404
        assert plain(about_hers.text, path) == plain(about_nothing.text, nowhere), (method, path)


def test_nobody_without_a_login_gets_further_than_the_login(app: Flask, client: FlaskClient, job: ScrapingJob) -> None:
    before = everything()
    for method, path in addresses(app, ids_of(job)):
        answer = client.open(path, method=method, data=FORM if method == "POST" else None)
        assert answer.status_code == 302 and answer.location.startswith("/login"), (method, path)
    assert everything() == before


def test_bob_gets_404_for_every_address_of_admins(app: Flask, as_bob: FlaskClient, job: ScrapingJob) -> None:
    before = everything()
    asked = [(method, str(rule)) for rule, method in rules(app) if rule.endpoint.startswith(ADMINS)]
    assert asked
    for method, path in asked:
        data = {"ids": str(job.id), "why": "because", "all": "1"} if method == "POST" else None
        assert as_bob.open(path, method=method, data=data).status_code == 404, (method, path)
    assert everything() == before


def test_lists_that_ask_for_alices_jobs_stay_empty_for_bob(as_bob: FlaskClient, job: ScrapingJob) -> None:
    for path in ("/", f"/?q=clientes&status={job.status}", f"/jobs/live?ids={job.id}&everybody=1"):
        for headers in ({}, {"HX-Request": "true"}):
            answer = as_bob.get(path, headers=headers)
            assert answer.status_code == 200
            assert NAME not in answer.text and "alice" not in answer.text and f"job-row-{job.id}" not in answer.text


def test_the_same_addresses_open_for_alice(app: Flask, as_alice: FlaskClient, job: ScrapingJob) -> None:
    """Otherwise the tests above could be green because nothing works."""
    for method, path in addresses(app, ids_of(job)):
        if method == "GET" and not path.endswith("/earlier-rows"):  # of a merged list: test_earlier_list opens it
            with as_alice.get(path) as answer:
                assert answer.status_code == 200, path

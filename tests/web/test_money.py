"""What a file costs, on the check page before its start, on its own page and in the list; and what is known already."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import sources
from portal.causes import CauseCode
from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.spending_tables import CapScope
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding
from portal.jobs.spending import caps, reservations
from portal.jobs.spending.reservations import Account
from portal.sources import answer_cache
from portal.sources.base import Answer, Outcome
from tests.sources.http.test_cost import recipe_of
from tests.support.cast import mobile
from tests.support.recipes import registered
from tests.web.check_page import jobs, read, upload

CENT = 10**7


@pytest.fixture
def document_id(app: Flask, as_alice: FlaskClient) -> int:
    document_id = upload(as_alice, "\n".join(["Phone", *map(mobile, range(30))]).encode(), "list.csv")
    read(app, document_id)
    return document_id


@pytest.fixture
def priced(tmp_path: Path) -> Iterator[str]:
    """A source that charges a cent and whose answers are kept for thirty days."""
    made = recipe_of(tmp_path, "http://127.0.0.1:1", '[cost]\nprice = 0.01\ncurrency = "EUR"', cache=30)
    with registered(made):
        yield made.name


def keep(count: int, days: float) -> None:
    version = sources.data_version("priced")
    answers = {f"+34{mobile(n)}": Answer(Outcome.FOUND, {"operator": "Orange"}) for n in range(count)}
    answer_cache.remember("priced", version, answers, utcnow() - timedelta(days=days))
    db.session.commit()


def test_the_check_page_says_what_it_costs_before_the_start(
    as_alice: FlaskClient, document_id: int, priced: str
) -> None:
    page = as_alice.get(f"/documents/{document_id}?source=priced").text
    assert "30 numbers" in page and "€0.30" in page and "€0.20" in page and "None of these numbers is known yet" in page
    keep(12, 6)
    page = as_alice.get(f"/documents/{document_id}?source=priced").text
    assert "12 of 30 numbers are known already" in page and "6 days" in page and "18 to ask" in page
    assert "€0.18" in page and "€0.30" not in page
    assert "€0.30" in as_alice.get(f"/documents/{document_id}?source=priced&known_days=1").text
    page = as_alice.get(f"/documents/{document_id}?source=priced&known_days=0").text
    assert "€0.30" in page and "All numbers are asked about again" in page
    assert "€" not in as_alice.get(f"/documents/{document_id}?source=offline").text


@pytest.mark.parametrize(("typed", "kept"), [("", None), ("0.25", 25 * CENT), ("0,25", 25 * CENT), ("12", 1200 * CENT)])
def test_a_file_starts_with_its_own_limit_and_the_age_that_is_accepted(
    as_alice: FlaskClient, document_id: int, priced: str, typed: str, kept: int | None
) -> None:
    fields = {"source": "priced", "cost_cap": typed, "known_days": "7"}
    assert as_alice.post(f"/documents/{document_id}/jobs", data=fields).status_code == 303
    (job,) = jobs()
    assert (job.cost_cap, job.known_days, job.currency) == (kept, 7, "EUR")


@pytest.mark.parametrize("typed", ["x", "-1", "1e99", "nan"])
def test_a_limit_that_is_no_amount_is_explained(
    as_alice: FlaskClient, document_id: int, priced: str, typed: str
) -> None:
    answer = as_alice.post(f"/documents/{document_id}/jobs", data={"source": "priced", "cost_cap": typed})
    assert answer.status_code == 422 and "Write the limit as an amount" in answer.text and not jobs()


def test_a_paused_file_says_which_limit_and_how_much_is_spent(
    as_alice: FlaskClient, alice, make_job, priced: str
) -> None:
    job: ScrapingJob = make_job(alice, 5, source="priced")
    caps.set_cap(CapScope.PORTAL, "", "EUR", 2 * CENT, "ada", utcnow())
    job.status, job.paused_at, job.wait_cause = "retrying", utcnow(), CauseCode.CAP_REACHED
    job.cost, job.cost_unsure, job.cost_cap, job.attempt = 3 * CENT, CENT, 4 * CENT, 1
    db.session.commit()
    page = as_alice.get(f"/jobs/{job.id}").text
    assert "Cost so far: €0.04" in page and "of which perhaps €0.01" in page and "The spending limit is reached" in page
    assert "€0.04 for this file, of which €0.04 are spent" in page
    assert "€0.04" in as_alice.get("/").text
    check = as_alice.get(f"/documents/{job.document_id}?source=priced").text
    assert "This month €0.02 may still be spent" in check


def test_admins_see_what_was_spent_and_set_limits(as_ada: FlaskClient, as_alice: FlaskClient, alice, priced) -> None:
    account, month = Account(alice.id, "priced", "EUR"), reservations.month_of(utcnow())
    reservations.settle(Holding(0, 0, 0), account, month, released=0, spent=1430 * CENT, unsure=0)
    db.session.commit()
    fields = {"for": f"person:{alice.id}", "amount": "25", "currency": "EUR"}
    assert as_ada.post("/admin/spending/caps", data=fields).status_code == 303
    page = as_ada.get("/admin/spending").text
    assert "14.30" in page and "alice@example.com" in page and "€25.00" in page and "€14.30" in page
    table = as_ada.get("/admin/spending.csv").text
    assert "alice@example.com" in table and "14.3" in table
    assert "14.30" in as_alice.get("/figures").text and "priced" in as_alice.get("/figures/spending.csv").text
    assert as_alice.get("/admin/spending").status_code == 404
    wrong = as_ada.post("/admin/spending/caps", data={**fields, "amount": "2S"})
    assert (
        wrong.status_code == 422 and 'value="2S"' in wrong.text and f'value="person:{alice.id}" selected' in wrong.text
    )
    assert 'aria-invalid="true" aria-describedby="cap-problem"' in wrong.text, "it is said beside the field"
    assert as_ada.post("/admin/spending/caps", data={**fields, "for": "person:x"}).status_code == 422
    assert as_ada.post("/admin/spending/caps", data={**fields, "amount": ""}).status_code == 303
    assert "€25.00" not in as_ada.get("/admin/spending").text


def test_the_owner_of_a_paused_file_raises_its_limit_and_it_goes_on(
    as_alice: FlaskClient, as_bob: FlaskClient, alice, make_job, priced: str
) -> None:
    job: ScrapingJob = make_job(alice, 5, source="priced")
    job.status, job.paused_at, job.wait_cause, job.attempt = "retrying", utcnow(), CauseCode.CAP_REACHED, 1
    job.cost = job.cost_cap = CENT
    db.session.commit()
    page = as_alice.get(f"/jobs/{job.id}").text
    assert re.search(r'id="do-cost_cap" data-kind="primary">Save the limit and go on', page)
    assert "Raise the file’s limit above and go on." in page and "Ask an administrator" not in page
    assert as_bob.post(f"/jobs/{job.id}/cost-cap", data={"cost_cap": "9"}).status_code == 404
    assert as_alice.post(f"/jobs/{job.id}/cost-cap", data={"cost_cap": "x"}).status_code == 422
    assert as_alice.post(f"/jobs/{job.id}/cost-cap", data={"cost_cap": "0.05"}).status_code == 303
    db.session.refresh(job)
    assert (job.cost_cap, job.paused_at, job.wait_cause) == (5 * CENT, None, None)
    assert "limit is now €0.05" in as_alice.get(f"/jobs/{job.id}").text


def test_at_a_limit_of_the_portal_nothing_is_offered_that_would_not_help(
    as_alice: FlaskClient, as_ada: FlaskClient, alice, make_job, priced: str
) -> None:
    job: ScrapingJob = make_job(alice, 5, source="priced")
    job.status, job.paused_at, job.wait_cause, job.attempt = "retrying", utcnow(), CauseCode.CAP_REACHED, 1
    job.cost = job.cost_cap = 100 * CENT
    db.session.commit()
    assert "monthly spending limit" not in as_ada.get("/admin").text, "its own limit is its owner's to raise"
    job.cost = 0
    caps.set_cap(CapScope.PORTAL, "", "EUR", 0, "ada@example.com", utcnow())
    page = as_alice.get(f"/jobs/{job.id}").text
    assert "Save the limit and go on" not in page and "Ask an administrator to raise the limit" in page
    assert re.search(r'id="do-resume">', page), "it is no primary button: the limit would stop it at once"
    assert re.search(r'href="/admin/spending#caps">1 file waits at a monthly spending limit', as_ada.get("/admin").text)


def test_amounts_of_a_page_have_the_same_places(as_ada: FlaskClient, alice, priced: str) -> None:
    account, month = Account(alice.id, "priced", "EUR"), reservations.month_of(utcnow())
    reservations.settle(Holding(0, 0, 0), account, month, released=0, spent=CENT * 96 // 10, unsure=0)
    db.session.commit()
    caps.set_cap(CapScope.PORTAL, "", "EUR", 10 * CENT, "ada@example.com", utcnow())
    page = as_ada.get("/admin/spending").text
    assert "€0.096" in page and ">0.096<" in page and ">0.10<" not in page, (
        "rounded, it looked as if the limit was reached"
    )

"""The admins' search: by id, name, owner, reference and telephone number, which gets into no address and no log."""

import logging
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.bulk_tables import PhoneSearch
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep.steps import delete_expired
from tests.web.admin.test_jobs import listed

MakeJob = Callable[..., ScrapingJob]


def sought(client: FlaskClient, text: str) -> str:
    answer = client.post("/admin/jobs/search", data={"q": text})
    assert answer.status_code == 303
    return str(answer.headers["Location"])


@pytest.mark.parametrize(
    "written",
    [
        "612 00 00 03", "+34612000003", "0034-612-000-003", "(+34) 612.000.003", "612000003",
        "612\u00a000\u202f00\u00a003", "\u202a+34 612000003\u202c", "+34 612\u2011000\u2011003", "６１２０００００３",
        "Tel.: 612000003", "tel:+34612000003", "'612000003'", "612 000 003 ext. 7", "Móvil 612000003", "+34612000003;",
    ],
)  # fmt: skip
def test_a_telephone_number_is_found_in_any_writing_and_gets_into_no_address(
    as_ada: FlaskClient, alice: User, bob: User, make_job: MakeJob, written: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hers, his = make_job(alice, ["612000001", "612000003"]), make_job(bob, ["0034612000003", "612000003"])
    make_job(bob, ["612000009"])
    address = sought(as_ada, written)
    assert address.startswith("/admin/jobs?found=") and "612" not in address and "000003" not in address
    page = as_ada.get(address)
    assert list(listed(as_ada, address.removeprefix("/admin/jobs"))) == [his.id, hers.id]
    assert page.headers["Cache-Control"] == "no-store"
    links = [
        part.split('"')[0] for part in page.get_data(as_text=True).replace('action="', 'href="').split('href="')[1:]
    ]
    assert not [link for link in links if "12000003" in link]
    assert not [record for record in caplog.records if "12000003" in record.getMessage()]


def test_the_key_of_a_number_is_good_for_its_admin_and_for_half_an_hour(
    as_ada: FlaskClient, as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    make_job(alice, ["612000003"])
    address = sought(as_ada, "612000003")
    assert len(listed(as_ada, address.removeprefix("/admin/jobs"))) == 1
    alice.is_admin = True
    db.session.commit()
    assert listed(as_alice, address.removeprefix("/admin/jobs")) == {}
    db.session.execute(update(PhoneSearch).values(expires_at=utcnow() - timedelta(seconds=1)))
    db.session.commit()
    page = as_ada.get(address).get_data(as_text=True)
    assert "That search has expired" in page and "job-row-" not in page
    sought(as_ada, "612000004")
    list(delete_expired(utcnow()))
    assert [one.e164 for one in db.session.scalars(select(PhoneSearch))] == ["+34612000004"], "what is over is cleared"


def test_a_days_name_and_a_files_name_are_no_numbers(as_ada: FlaskClient) -> None:
    for text in ("2026-05-01", "1/5/2026", "clientes_612000003.xlsx", "Hotel 20260501", "20260501"):
        assert sought(as_ada, text).startswith("/admin/jobs?q="), text


def test_a_number_that_is_not_whole_is_not_looked_for_as_a_name(as_ada: FlaskClient) -> None:
    for text in ("612 000 00", "61200000312345678"):
        assert sought(as_ada, text) == "/admin/jobs"
        assert "not a complete phone number" in as_ada.get("/admin/jobs").get_data(as_text=True)


def test_a_reference_leads_to_its_job_and_attempt(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    assert sought(as_ada, f" sj-{job.id}-a2 ") == f"/jobs/{job.id}#attempt-2"
    assert sought(as_ada, "SJ-999999-A1") == "/admin/jobs"
    assert "SJ-999999-A1" in as_ada.get("/admin/jobs").get_data(as_text=True)


def test_a_name_an_id_and_an_address_go_into_the_address_and_are_found(
    as_ada: FlaskClient, alice: User, bob: User, make_job: MakeJob
) -> None:
    hers, his = make_job(alice), make_job(bob)
    assert sought(as_ada, "clientes 2026") == "/admin/jobs?q=clientes+2026"
    for text, found in (
        (f"#{hers.id}", [hers.id]), (str(hers.id), [hers.id]), ("bob@ex", [his.id]), ("CLIENTES", [his.id, hers.id]),
        (f"SJ-{his.id}-A1", [his.id]), ("#99999999", []), ("9" * 40, []), ("100%", []), ("\0", [his.id, hers.id]),
    ):  # fmt: skip
        assert list(as_ada_list(as_ada, text)) == found, text


def as_ada_list(client: FlaskClient, text: str) -> dict[int, str]:
    return listed(client, f"?q={quote(text)}")

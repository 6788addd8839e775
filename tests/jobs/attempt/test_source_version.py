"""A job remembers with which versions of its source it was looked up, and its page and its summary say so."""

from collections.abc import Callable

from flask.testing import FlaskClient

from portal.accounts import User
from portal.database import db
from portal.jobs.attempt import source_version
from portal.jobs.models import ScrapingJob


def test_a_job_remembers_its_versions(make_job: Callable[..., ScrapingJob], alice: User, as_alice: FlaskClient) -> None:
    job = make_job(alice)
    job.source_versions, job.attempt = "recipe aaaa1111", 2
    db.session.commit()
    assert source_version.is_last(job.source_versions, "recipe aaaa1111")
    assert not source_version.is_last(job.source_versions, "recipe 2, data of May")
    source_version.note(job.id, 2, job.source_versions, "recipe 2, data of May")
    db.session.refresh(job)
    assert source_version.is_last(job.source_versions, "recipe 2, data of May"), "although it has a comma"
    source_version.note(job.id, 1, job.source_versions, "recipe of a late worker")
    page = as_alice.get(f"/jobs/{job.id}").get_data(as_text=True)
    assert "aaaa1111; 2, data of May" in page and "late worker" not in page
    db.session.refresh(job)
    for number in range(9):
        source_version.note(job.id, 2, job.source_versions, f"{number} {'x' * 60}")
        db.session.refresh(job)
    assert len(job.source_versions) <= 200 and job.source_versions.startswith("4 ")

"""Challenge pages and quota messages with status 200 are refusals: never "found", never cached."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal.accounts import User
from portal.causes import CauseCode
from portal.database import db
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.http.disguised import is_challenge, refusal_in
from portal.sources.http.response import SourceResponse
from portal.sources.models import CachedAnswer
from portal.sources.recipes.loader import read_recipe
from tests.support.cast import NOW
from tests.support.misbehaving import always, misbehaving
from tests.support.recipes import recipe, registered

HTML = "text/html; charset=utf-8"
PAGES = {
    "cloudflare": "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><h1>example.es</h1>"
    "<script>window._cf_chl_opt = {cvId: '3'};</script></body></html>",
    "datadome": "<html><head><title>example.es</title></head><body><p id='cmsg'>Please enable JS</p>"
    "<script>var dd={'rt':'c','host':'geo.captcha-delivery.com'}</script></body></html>",
    "human": "<html><body><div id='px-captcha'></div><p>Press &amp; Hold to confirm</p>"
    "<script>window._pxAppId='PX1';</script></body></html>",
    "imperva": "<html><body><iframe src='/_Incapsula_Resource?x=1'>Request unsuccessful. Incapsula incident ID: 1-2"
    "</iframe></body></html>",
    "akamai": "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY>Reference #18 "
    "https://errors.edgesuite.net/18</BODY></HTML>",
}
QUOTAS = [
    ({"success": False, "error": {"code": 104, "type": "usage_limit_reached", "info": "…"}}, CauseCode.NO_CREDIT),
    ({"message": "You have exceeded your monthly quota"}, CauseCode.NO_CREDIT),
    ({"error": "Insufficient credits"}, CauseCode.NO_CREDIT),
    ({"mensaje": "Saldo insuficiente"}, CauseCode.NO_CREDIT),
    ({"message": "Too many requests, slow down"}, CauseCode.RATE_LIMITED),
    ({"error": "Rate limit exceeded"}, CauseCode.RATE_LIMITED),
    ({"error": "captcha required"}, CauseCode.BLOCKED),
    ({"error": "Internal problem"}, None),
    ({"line": "mobile"}, None),
]


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_challenge_pages_are_known(page: str) -> None:
    assert is_challenge(SourceResponse(200, {"Content-Type": HTML}, page.encode()))


def test_pages_that_only_load_such_a_script_are_not() -> None:
    page = "<html><head><script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script></head><b>Movistar</b>"
    assert not is_challenge(SourceResponse(200, {"Content-Type": HTML}, page.encode()))
    assert not is_challenge(SourceResponse(200, {}, b'{"operator": "_cf_chl_opt"}'))
    assert is_challenge(SourceResponse(200, {"CF-Mitigated": "challenge"}, b""))


@pytest.mark.parametrize(("message", "meaning"), QUOTAS)
def test_quota_messages_are_understood(message: dict[str, object], meaning: CauseCode | None) -> None:
    assert refusal_in(json.dumps(message, ensure_ascii=False)) == meaning


@pytest.mark.parametrize(
    ("kind", "body", "cause"),
    [
        ("html", PAGES["cloudflare"], "blocked"),
        ("json", PAGES["akamai"], "blocked"),
        ("json", json.dumps(QUOTAS[0][0]), "no_credit"),
    ],
)
def test_a_job_at_such_a_source_waits_and_nothing_is_cached(
    app, alice: User, make_job: Callable[..., ScrapingJob], tmp_path: Path, kind: str, body: str, cause: str
) -> None:
    """The fields would match: the page has a heading and a paragraph. No number is found, no retry is used."""
    with misbehaving() as server:
        server.raw[""] = (200, HTML if body.startswith("<") else "application/json", body.encode())
        path = tmp_path / f"{kind}-test.toml"
        recipe(tmp_path, kind, server.url)
        # Nothing is required, no rule tells what a good answer is, and a selector that fits nearly any page.
        text = path.read_text().replace(", required = true", "").replace("dl.record dd.operator", "h1, p, body")
        text = text.replace("success = [{ json = \"status == 'ok'\" }]\n", "")
        path.write_text(text.replace("[limits]\n", '[limits]\ncache = "30 days"\n'))
        made = read_recipe(path)
        with registered(made):
            job = make_job(alice, 6, source=made.name)
            now = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)
            assert runner.run(job.id, 0, now) == Status.RETRYING
            db.session.refresh(job)
            assert (job.found_count, job.retry_count, job.wait_cause) == (0, 0, cause)
            assert db.session.scalar(select(func.count()).select_from(CachedAnswer)) == 0


@pytest.mark.parametrize("asked", ["9999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "1e400"])
def test_no_retry_after_is_believed_for_more_than_an_hour(
    app, alice: User, make_job: Callable[..., ScrapingJob], tmp_path: Path, asked: str
) -> None:
    with misbehaving(always("limited")) as server:
        server.retry_after = asked
        made = recipe(tmp_path, "json", server.url)
        with registered(made):
            job = make_job(alice, 3, source=made.name)
            now = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)
            assert runner.run(job.id, 0, now) == Status.RETRYING
            db.session.refresh(job)
            assert job.not_before and job.not_before - NOW <= timedelta(hours=1)

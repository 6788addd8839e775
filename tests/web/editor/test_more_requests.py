"""What needs more than one request, through forms: signing in for a token, several numbers at once, answers that come
later."""

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.sources import drafts, registry
from portal.sources.base import Outcome
from portal.sources.editor import batch_guess
from tests.support import apis
from tests.support.provider import provider
from tests.web.editor.walking import OFFER, SENT, accept, ask, offered_with_operator, paste, press, work


def text_of(here: str) -> str:
    return (drafts.find(here.rpartition("/")[2]) or drafts.listed()[0]).text


def test_a_token_is_fetched_by_a_second_command(app: Flask, as_ada: FlaskClient) -> None:
    with provider(apis.token_api) as server:
        here = paste(as_ada, f'curl -H "Authorization: Bearer $TOKEN" "{server.url}/v1/lookup?msisdn={SENT[1:]}"')
        login = f"curl {server.url}/oauth/token -d client_id={apis.USER} -d client_secret={apis.KEY}"
        wrong = as_ada.post(f"{here}/login", data={"login": "hello", "paste": "yes"})
        assert wrong.status_code == 422 and 'role="alert"' in wrong.text
        assert as_ada.post(f"{here}/login", data={"login": login, "paste": "yes"}).status_code == 303
        assert "Bearer {token}" in text_of(here) and apis.KEY not in text_of(here)
        work()
        assert [one.path for one in server.asked] == ["/oauth/token"]  # it signs in alone
        page = as_ada.get(f"{here}/answers").text
        assert apis.TOKEN not in page and "eyJ…" in html.unescape(page)
        # Where the token is and how long it is valid was found in the answer, whatever was guessed before.
        assert 'token = "data.jwt"' in text_of(here) and 'path = "data.expires_in"' in text_of(here)
        assert not any(apis.TOKEN.encode() in (one.body or b"") for one in drafts.samples(here.rpartition("/")[2]))
        row = re.search(r'name="take" value="(\d+)"[^>]*><span class="key">token_type', page)
        assert row is not None
        as_ada.post(f"{here}/login", data={"take": row[1]})
        assert 'token = "data.token_type"' in text_of(here)
        right = re.search(r'name="take" value="(\d+)"[^>]*><span class="key">jwt', page)
        assert right is not None
        as_ada.post(f"{here}/login", data={"take": right[1], "keep": "30"})
        assert 'keep = "30 min"' in text_of(here)
        offered_with_operator(as_ada, here)


def test_a_login_is_taken_away_again(as_ada: FlaskClient) -> None:
    here = paste(as_ada, f"curl -H 'X-Auth: abcdef0123456789abcdef01' https://api.example.com/{SENT[1:]}")
    before = text_of(here)
    login = 'curl -X POST https://api.example.com/login -d \'{"user": "ana", "password": "pa55"}\''
    as_ada.post(f"{here}/login", data={"login": login, "paste": "yes"})
    assert 'X-Auth = "{token}"' in text_of(here) and "[[before]]" in text_of(here)
    as_ada.post(f"{here}/login", data={"cookies": ["no", "yes"], "keep": ""})
    as_ada.post(f"{here}/login", data={"remove": "yes"})
    after = text_of(here)
    assert "[[before]]" not in after and "{token}" not in after
    assert after.replace("EXAMPLE_TOKEN", "EXAMPLE_AUTH").rstrip() == before.rstrip()


@pytest.mark.parametrize(
    ("request_", "body", "batch"),
    [
        ({"body": '{"numbers": ["{e164}"]}'}, '{"numbers": {numbers_json}}', {}),
        ({"body": '{"to": "{digits}"}'}, '{"to": {numbers_json}}', {"number": "digits"}),
        ({"body": '{"q": [{"n": "{digits}"}]}'}, '{"q": [{numbers}]}', {"each": '{"n": "{digits}"}'}),
        ({"body": "n={national}"}, "n={numbers}", {"number": "national"}),
    ],
)
def test_a_request_about_one_is_made_one_about_many(request_: dict[str, str], body: str, batch: dict[str, str]) -> None:
    found, more = batch_guess.for_many(request_)
    assert found["body"] == body and {key: more[key] for key in batch} == batch
    assert batch_guess.for_many({"url": "https://x.com/{e164}"})[0]["url"] == "https://x.com/{numbers}"


def test_answers_that_come_later_and_several_numbers_by_forms(app: Flask, as_ada: FlaskClient) -> None:
    with provider(apis.ticket_api) as server:
        body = f'{{"items": [{{"to": "{SENT[1:]}"}}]}}'
        here = paste(as_ada, f"curl {server.url}/bulk -H 'Content-Type: application/json' -d '{body}'")
        assert "{digits}" in text_of(here)
        assert as_ada.post(f"{here}/batch", data={"many": "yes"}).status_code == 303
        assert 'kind = "batch"' in text_of(here) and """each = '{"to": "{digits}"}'""" in text_of(here)
        ask(as_ada, here)
        page = as_ada.get(f"{here}/answers").text
        assert '<option value="bulkId" selected>' in page and "looks like a ticket" in page
        assert """<option value="state != &#39;accepted&#39;" selected>""" in page
        wrong = as_ada.post(
            f"{here}/batch", data={"poll": "yes", "poll_url": f"{server.url}/bulk/x", "ticket": "state"}
        )
        assert wrong.status_code == 422 and "{ticket}" in wrong.text
        # The address with the very ticket of the answer, as the documentation's example has one.
        form = {"poll": "yes", "poll_url": f"{server.url}/bulk/b77-{SENT[:0:-1]}", "interval": "0,1", "ready": ""}
        assert as_ada.post(f"{here}/batch", data=form).status_code == 303
        assert "/bulk/{ticket}" in text_of(here) and 'ticket = "bulkId"' in text_of(here)
        ask(as_ada, here, unknown="+34612345677")
        page = as_ada.get(f"{here}/answers").text
        assert "state == &#39;done&#39;" in page
        form |= {"poll_url": f"{server.url}/bulk/{{ticket}}", "ticket": "bulkId", "ready": "state == 'done'"}
        as_ada.post(f"{here}/batch", data=form)
        press(as_ada, here, "Euskaltel")
        as_ada.post(f"{here}/batch", data={"size": "3"})
        rules = as_ada.get(f"{here}/rules").text
        assert 'name="missing" value="not_found"' in rules and "length(results)" not in rules
        accept(as_ada, here)
        assert as_ada.post(f"{here}/offer", data={**OFFER, "size": "3"}).status_code == 303
        text = text_of(here)
        assert 'items = "results"' in text and 'key = "to"' in text and "size = 3" in text
        source = registry.get("mine")
        assert dict(source.lookup(SENT).fields) == {"operator": "Euskaltel"}
        assert source.lookup("+34612345677").outcome == Outcome.NOT_FOUND
        as_ada.post(f"{here}/batch", data={"at_once": "yes"})
        assert "[batch.poll]" not in text_of(here)
        as_ada.post(f"{here}/batch", data={"one": "yes"})
        assert 'kind = "json"' in text_of(here) and """[{"to": "{digits}"}]""" in text_of(here)

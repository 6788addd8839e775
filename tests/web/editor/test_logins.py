"""A login whose answer is no JSON object becomes a source through the form alone: the token is found in it, or pressed
on, and is never shown."""

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.clock import utcnow
from portal.sources import drafts
from portal.sources.base import Outcome
from tests.support import apis
from tests.support.provider import Provider, provider
from tests.web.editor.walking import SENT, ask, offered_with_operator, paste, work

TAKEN = {  # what the recipe takes, and for how long
    "text": ("take = {token = '(?m)^\\s*OK\\s*[:=]\\s*(.*?)\\s*$'}", "25 min"),
    "line": ("take = {token = '^\\s*(?:\\S*\\s+){1}\\s*(\\S*?)\\s*(?:\\s+|$)'}", "25 min"),
    "parts": ("take = {token = '^\\s*(?:[^|]*\\|){1}\\s*([^|]*?)\\s*(?:\\||$)'}", "25 min"),
    "form": ('take = {token = "access_token"}', 'keep = {path = "expires_in"}'),
    "xml": ('take = {token = "//sessionId"}', "108 min"),
    "header": ('header = "x-subject-token"', "25 min"),
    "cookie": ("cookies = true", "25 min"),
    "string": ('take = {token = "@"}', "25 min"),
}


def text_of(here: str) -> str:
    return (drafts.find(here.rpartition("/")[2]) or drafts.listed()[0]).text


def sign_in(client: FlaskClient, server: Provider) -> str:
    """Paste a lookup and its login, be the worker, and return the draft's address."""
    here = paste(client, f'curl -H "Authorization: Bearer $TOKEN" "{server.url}/v1/lookup?msisdn={SENT[1:]}"')
    login = f'curl "{server.url}/http/auth?user={apis.USER}&password={apis.PASSWORD}"'
    assert client.post(f"{here}/login", data={"login": login, "paste": "yes"}).status_code == 303
    work()
    return here


@pytest.mark.parametrize("kind", list(apis.LOGINS))
def test_the_token_is_found_and_never_shown(app: Flask, as_ada: FlaskClient, kind: str) -> None:
    with provider(apis.login_api(kind)) as server:
        here = sign_in(as_ada, server)
        text, page = text_of(here), html.unescape(as_ada.get(f"{here}/answers").text)
        assert all(part in text for part in TAKEN[kind]), text
        assert len(re.findall(r'data-chosen aria-pressed="true"', page)) == 1
        kept = [one.body or b"" for one in drafts.samples(here.rpartition("/")[2])]
        for seen in (text, page, *(body.decode() for body in kept)):
            assert apis.SESSION not in seen and apis.SESSION[:8] not in seen
        source = offered_with_operator(as_ada, here)
        assert source.lookup("+34612345671").outcome == Outcome.FOUND


def test_a_login_that_is_refused_says_so(as_ada: FlaskClient) -> None:
    with provider(apis.login_api("form")) as server:
        here = paste(as_ada, f'curl -H "Authorization: Bearer $TOKEN" "{server.url}/v1/lookup?msisdn={SENT[1:]}"')
        login = f'curl "{server.url}/http/auth?user={apis.USER}&password=wrong-one"'
        as_ada.post(f"{here}/login", data={"login": login, "paste": "yes"})
        work()
        page = as_ada.get(f"{here}/answers").text
    assert "The source has refused to sign in (401)" in page and "Press the value that is the token" not in page
    assert 'token = "access_token"' in text_of(here)


def test_a_login_without_its_token_is_no_answer_and_stays_a_secret(as_ada: FlaskClient) -> None:
    """The recipe looks for the token in the wrong place: the answer that was last is that of the login."""
    with provider(apis.login_api("form")) as server:
        here = sign_in(as_ada, server)
        token, draft = here.rpartition("/")[2], drafts.listed()[0]
        drafts.change(token, draft.text.replace('"access_token"', '"nowhere"'), "ada", utcnow())
        ask(as_ada, here, spoilt="yes", price="0,01")
        asked = [one for one in drafts.samples(token) if one.meaning != drafts.SIGNS_IN]
        assert server.paths["/v1/lookup"] == 0
    right, wrong = (one.facts or {} for one in asked)
    assert (right["status"], right["reason"], right["cost"]) == (None, "answers_unusable", 0)
    assert (wrong["status"], wrong["cost"]) == (401, 0) and b"Authentication failed" in (asked[1].body or b"")
    page = as_ada.get(f"{here}/answers").text
    for seen in (page, str(right), *(str(one.body) for one in asked)):
        assert apis.SESSION[:8] not in seen
    assert "no answer" in page


def test_another_part_of_it_is_pressed_on(as_ada: FlaskClient) -> None:
    with provider(apis.login_api("form")) as server:
        here = sign_in(as_ada, server)
        page = as_ada.get(f"{here}/answers").text
        row = re.search(r'name="take" value="(\d+)"[^>]*><span class="key">token_type', page)
        assert row is not None
        as_ada.post(f"{here}/login", data={"take": row[1], "keep": "30"})
        assert 'token = "token_type"' in text_of(here) and 'format = "form"' in text_of(here)
        assert 'keep = "30 min"' in text_of(here)


def test_cookies_take_the_place_of_a_token_and_the_other_way(as_ada: FlaskClient) -> None:
    with provider(apis.login_api("cookie")) as server:
        here = sign_in(as_ada, server)
        assert "Authorization" not in text_of(here) and "take" not in text_of(here)
        page = as_ada.get(f"{here}/answers").text
        assert "It signs in by cookies" in page
        ok, cookie = (
            re.search(rf'name="take" value="(\d+)"[^>]*><span class="key">{name}', page)
            for name in ("ok", "Set-Cookie: sid")
        )
        assert ok is not None and cookie is not None
        as_ada.post(f"{here}/login", data={"take": ok[1]})
        assert 'take = {token = "ok"}' in text_of(here) and "Bearer {token}" in text_of(here)
        assert "cookies" not in text_of(here)
        as_ada.post(f"{here}/login", data={"take": cookie[1]})
        assert "cookies = true" in text_of(here) and "{token}" not in text_of(here)

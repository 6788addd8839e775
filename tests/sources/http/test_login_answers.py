"""A login whose answer is no JSON: a form, a line of text, XML, or a header of its answer has the token."""

from pathlib import Path

import pytest

from portal.sources import catalogue
from portal.sources.base import NoTickets, Outcome, SourceStopped
from portal.sources.http.source import HttpSource
from portal.sources.recipes.loader import read_recipe
from portal.sources.recipes.toml_table import BadRecipe
from portal.sources.trial import to_dict, try_number
from tests.support.provider import Answered, Asked, provider
from tests.support.recipes import LOOPBACK

TOKEN = "abc/123+def=="  # what a form has to escape
RECIPE = """
name = "token"
kind = "json"
[[before]]
url = "{url}/auth"
{taken}
[request]
url = "{url}/hlr?n={{digits}}"
headers = {{ Authorization = "Bearer {{token}}" }}
[fields]
operator = "operator"
"""
FORM = """
name = "form"
kind = "json"
[request]
url = "{url}/hlr?n={{digits}}"
[answer]
format = "form"
[outcome]
not_found = [{{ json = "code == '404'" }}]
[fields]
operator = "operator"
"""
ANSWERS = {
    "form": (
        'format = "form"\ntake = { token = "access_token" }\nkeep = { path = "expires_in" }',
        Answered("access_token=abc%2F123%2Bdef%3D%3D&expires_in=3600&scope=", type="application/x-www-form-urlencoded"),
    ),
    "text": (
        'format = "text"\ntake = { token = "^OK: (.*)$" }\nkeep = "25 min"',
        Answered(f"OK: {TOKEN}\r\n", type="text/plain"),
    ),
    "xml": (
        'format = "xml"\ntake = { token = "/r/token" }\nkeep = "25 min"',
        Answered(f"<r><token> {TOKEN} </token></r>", type="text/xml"),
    ),
    "header": (
        'take = { token = { header = "X-Subject-Token" } }\nkeep = "25 min"',
        Answered("", 201, [("x-subject-token", TOKEN)]),
    ),
    "part of a header": (
        'take = { token = { header = "Authorization", regex = "Bearer (.*)" } }\nkeep = { path = "ttl" }',
        Answered({"ttl": 900}, 200, [("Authorization", f"Bearer {TOKEN}")]),
    ),
}


def recipe(folder: Path, taken: str, url: str = "https://api.example.com") -> Path:
    path = folder / "token.toml"
    path.write_text(RECIPE.format(url=url, taken=taken))
    return path


@pytest.mark.parametrize("name", list(ANSWERS))
def test_the_token_is_read_from_it(tmp_path: Path, name: str) -> None:
    taken, login = ANSWERS[name]

    def api(asked: Asked) -> Answered:
        if asked.path == "/auth":
            return login
        right = asked.headers.get("Authorization") == f"Bearer {TOKEN}"
        return Answered({"operator": "Digi"}) if right else Answered({"error": "token"}, 401)

    with provider(api) as server:
        source = HttpSource(read_recipe(recipe(tmp_path, taken, server.url)), {}, None, allow_private=LOOPBACK)
        found = [source.lookup(number) for number in ("+34612345678", "+34612345679")]
        assert [one.outcome for one in found] == [Outcome.FOUND] * 2 and server.paths["/auth"] == 1


@pytest.mark.parametrize(
    ("taken", "code"),
    [
        ('take = { token = { header = "X-Token", path = "token" } }\nkeep = "25 min"', "one_selector"),
        ('take = { token = { header = "not a header" } }\nkeep = "25 min"', "bad_header"),
    ],
)
def test_what_is_no_header_is_refused(tmp_path: Path, taken: str, code: str) -> None:
    with pytest.raises(BadRecipe) as error:
        read_recipe(recipe(tmp_path, taken))
    assert [one.code for one in error.value.mistakes] == [code]


def test_an_answer_of_a_lookup_may_be_a_form_too(tmp_path: Path) -> None:
    def api(asked: Asked) -> Answered:
        known = not asked.query["n"].endswith("7")
        return Answered("code=0&operator=M%C3%A1sM%C3%B3vil+S.A." if known else "code=404&operator=", type="text/plain")

    with provider(api) as server:
        path = tmp_path / "form.toml"
        path.write_text(FORM.format(url=server.url))
        source = HttpSource(read_recipe(path), {}, None, allow_private=LOOPBACK)
        assert dict(source.lookup("+34612345678").fields) == {"operator": "MásMóvil S.A."}
        assert source.lookup("+34612345677").outcome == Outcome.NOT_FOUND


def test_a_trial_does_not_show_a_token_that_the_recipe_has_missed(tmp_path: Path) -> None:
    taken = 'take = { token = "nowhere" }\nkeep = "25 min"'
    login = Answered({"access_token": "s3cr3t-t0ken-of-ada", "note": "ok"}, 200, [("X-Token", "s3cr3t-t0ken-of-ada")])
    with provider(lambda _: login) as server:
        catalogue.configure(None, tmp_path, {}, LOOPBACK)
        trial = try_number(read_recipe(recipe(tmp_path, taken, server.url)), "+34612345678")
        catalogue.configure(None, tmp_path / "nothing", {})
    (exchange,) = trial.exchanges
    assert "s3cr3t-t0ken" not in str(to_dict(trial)) and "access_token" in exchange.answer_body
    assert dict(exchange.answer_headers)["x-token"] == "s3c…"


def test_the_sample_of_a_login_that_has_changed_does_not_show_its_token(tmp_path: Path) -> None:
    taken = 'take = { token = "token" }\nkeep = "25 min"'
    with provider(lambda _: Answered({"accessToken": "s3cr3t-t0ken-of-ada", "expires": 60})) as server:
        source = HttpSource(read_recipe(recipe(tmp_path, taken, server.url)), {}, None, allow_private=LOOPBACK)
        session = source.open_session(lambda: False, NoTickets())
        with pytest.raises(SourceStopped):
            session.lookup_many(["+34612345678"])
    (sample,) = session.samples.since(0)
    assert "s3cr3t" not in sample.body and "accessToken" in sample.body and "no field token" in sample.why

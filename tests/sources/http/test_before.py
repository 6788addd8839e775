"""Requests before: a token that all workers share, renewed once; a form's hidden field with its cookies, for each
number. They obey everything that the request itself obeys."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from redis import Redis

from portal.causes import CauseCode
from portal.clock import utcnow
from portal.sources import catalogue
from portal.sources.base import NoTickets, Outcome, SourceBusy, SourceStopped
from portal.sources.cipher import TAKEN, Cipher
from portal.sources.http.source import HttpSource
from portal.sources.recipes.loader import read_recipe
from portal.sources.recipes.model import Recipe
from portal.sources.trial import to_dict, try_number
from tests.support.provider import Answered, Asked, Provider, provider
from tests.support.recipes import LOOPBACK

SECRETS = {"MW_USER": "ada", "MW_PASS": 'p"ss'}
NUMBERS = [f"+3461234{n:04d}" for n in range(40)]
TOKEN = """
name = "token"
kind = "json"
[[before]]
url = "{url}/auth"
method = "POST"
body = '{{"username": "{{secret:MW_USER}}", "password": "{{secret:MW_PASS}}"}}'
take = {{ token = "payload.access_token" }}
keep = {keep}
[request]
url = "{url}/hlr?n={{digits}}"
headers = {{ Authorization = "Bearer {{token}}" }}
[limits]
rate = "5000/s"
concurrency = 8
[fields]
operator = {{ path = "operator", required = true }}
"""


class Tokens:
    """An API whose tokens end when a test says so. One of MobiWeb's shape."""

    def __init__(self) -> None:
        self.valid: set[str] = set()
        self.logins = 0
        self.password = 'p"ss'
        self.seconds: Any = 1800
        self.lock = threading.Lock()
        self.reply: Answered | None = None  # of the login

    def __call__(self, asked: Asked) -> Answered:
        if asked.path == "/auth":
            with self.lock:
                self.logins += 1
                if self.reply is not None:
                    return self.reply
                if asked.json != {"username": "ada", "password": self.password}:
                    return Answered({"error": "invalid_grant"}, 400)
                token = f"token-{self.logins}-of-ada"
                self.valid.add(token)
            return Answered({"payload": {"access_token": token}, "expires_in": self.seconds})
        if asked.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return Answered({"error": "token"}, 401)
        return Answered({"operator": f"Op {asked.query['n'][-3:]}"})


@pytest.fixture
def redis(valkey: str) -> Iterator[Redis]:
    with Redis.from_url(valkey) as redis:
        redis.flushall()
        yield redis


def recipe_of(folder: Path, text: str, **values: str) -> Recipe:
    path = folder / "my.toml"
    path.write_text(text.format(**values))
    return read_recipe(path)


def worker(made: Recipe, redis: Redis | None = None, **parts: Any) -> HttpSource:
    """A source as another process has it: only Redis is shared."""
    given = {"allow_private": LOOPBACK, "cipher": Cipher(["key"], TAKEN), **parts}
    return HttpSource(made, SECRETS, redis, **given)


def outcomes(source: HttpSource, numbers: list[str]) -> list[Outcome]:
    session = source.open_session(lambda: False, NoTickets())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: session.lookup_many([number])[number].outcome, numbers))
    session.close()
    return found


def test_a_token_is_asked_for_once_by_all_workers(tmp_path: Path, redis: Redis) -> None:
    tokens = Tokens()
    with provider(tokens) as server:
        made = recipe_of(tmp_path, TOKEN, url=server.url, keep='"25 min"')
        for _ in range(2):
            assert set(outcomes(worker(made, redis), NUMBERS)) == {Outcome.FOUND}
    assert tokens.logins == 1
    kept = [redis.get(key) for key in redis.keys("*kept:*")]
    assert len(kept) == 1 and b"token-1" not in kept[0] and all(b"token-1" not in key for key in redis.keys("*"))
    assert 1400 < redis.ttl(redis.keys("*kept:*")[0]) <= 1500


def test_one_worker_renews_it_while_all_others_wait(tmp_path: Path, redis: Redis) -> None:
    """The source drops the token in the middle: no number is refused, and one more login is sent, whoever notices."""
    tokens = Tokens()
    with provider(tokens) as server:
        made = recipe_of(tmp_path, TOKEN, url=server.url, keep='"25 min"')
        workers = [worker(made, redis), worker(made, redis)]
        for one in workers:
            assert outcomes(one, NUMBERS[:8]) == [Outcome.FOUND] * 8
        tokens.valid.clear()
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda one: outcomes(one, NUMBERS), workers))
    assert {outcome for some in found for outcome in some} == {Outcome.FOUND}
    assert tokens.logins == 2


def test_a_token_that_never_works_is_not_renewed_for_each_number(tmp_path: Path, redis: Redis) -> None:
    tokens = Tokens()
    tokens.reply = Answered({"payload": {"access_token": "worthless"}})
    with provider(tokens) as server:
        session = worker(recipe_of(tmp_path, TOKEN, url=server.url, keep='"1 h"'), redis).open_session(
            lambda: False, NoTickets()
        )
        with pytest.raises(SourceStopped, match=CauseCode.CREDENTIALS):
            for number in NUMBERS:
                session.lookup_many([number])
        assert (tokens.logins, server.paths["/hlr"]) == (1, 2)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_wrong_password_is_sent_once(status: int, tmp_path: Path, redis: Redis) -> None:
    tokens = Tokens()
    tokens.reply = Answered({"error": "no"}, status)
    with provider(tokens) as server:
        made = recipe_of(tmp_path, TOKEN, url=server.url, keep='"1 h"')
        session = worker(made, redis).open_session(lambda: False, NoTickets())
        reasons = []

        def ask(number: str) -> None:
            with suppress(SourceBusy):
                try:
                    session.lookup_many([number])
                except SourceStopped as stopped:
                    reasons.append(stopped.reason)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, NUMBERS[:16]))
        with pytest.raises((SourceBusy, SourceStopped)):
            worker(made, redis).lookup(NUMBERS[0])  # on another machine: the breaker tells it
    assert tokens.logins == 1 and not server.paths["/hlr"]
    assert set(reasons) == {CauseCode.BLOCKED if status == 403 else CauseCode.CREDENTIALS}


def test_it_is_kept_for_as_long_as_the_answer_says(tmp_path: Path, redis: Redis) -> None:
    tokens = Tokens()
    tokens.seconds = "100"
    with provider(tokens) as server:
        made = recipe_of(tmp_path, TOKEN, url=server.url, keep='{ path = "expires_in" }')
        source = worker(made, None)
        start = utcnow()
        for seconds, logins in ((0, 1), (89, 1), (91, 2), (100, 2)):
            with time_machine.travel(start + timedelta(seconds=seconds), tick=True):
                assert source.lookup(NUMBERS[0]).outcome == Outcome.FOUND
            assert tokens.logins == logins, seconds


@pytest.mark.parametrize(
    "reply",
    [
        Answered({"payload": {}}),
        Answered("<h1>Login</h1>"),
        Answered({"payload": {"access_token": "x"}, "expires_in": "soon"}),
        Answered("<h1>Not Found</h1>", 404),
    ],
)
def test_a_login_that_cannot_be_read_stops_the_file_with_a_sample(reply: Answered, tmp_path: Path) -> None:
    tokens = Tokens()
    tokens.reply = reply
    with provider(tokens) as server:
        made = recipe_of(tmp_path, TOKEN, url=server.url, keep='{ path = "expires_in" }')
        session = worker(made).open_session(lambda: False, NoTickets())
        with pytest.raises(SourceStopped, match=CauseCode.ANSWERS_UNUSABLE):
            session.lookup_many(NUMBERS)
        assert len(session.samples) == 1 and tokens.logins == 1


@pytest.mark.parametrize(("status", "reason"), [(503, CauseCode.TEMPORARY), (429, CauseCode.RATE_LIMITED)])
def test_a_login_that_hiccups_is_sent_again(status: int, reason: CauseCode, tmp_path: Path) -> None:
    tokens = Tokens()
    tokens.reply = Answered("later", status, [("Retry-After", "0")] if status == 429 else [])
    with provider(tokens) as server:
        source = worker(recipe_of(tmp_path, TOKEN, url=server.url, keep='"1 h"'))
        session = source.open_session(lambda: False, NoTickets())
        assert session.lookup_many([NUMBERS[0]])[NUMBERS[0]].reason == reason
        tokens.reply = None
        assert session.lookup_many([NUMBERS[0]])[NUMBERS[0]].outcome == Outcome.FOUND


def test_neither_a_try_nor_a_sample_shows_the_token(tmp_path: Path) -> None:
    tokens = Tokens()
    with provider(tokens) as server:
        catalogue.configure(None, tmp_path / "none", SECRETS, LOOPBACK)
        made = recipe_of(tmp_path, TOKEN, url=server.url, keep='"1 h"')
        trial = try_number(made, NUMBERS[0])
    assert trial.answer and trial.answer.outcome == Outcome.FOUND and len(trial.exchanges) == 2
    assert "token-1" not in str(to_dict(trial)) and "•••" in trial.exchanges[0].answer_body


# ── for each number ─────────────────────────────────────────────────────────────────────────────────────────────────

FORM = """
name = "register"
kind = "html"
[[before]]
url = "{url}/form"
format = "html"
take = {{ csrf = "input[name=_token]::attr(value)" }}
cookies = true
[request]
url = "{url}/search"
method = "POST"
headers = {{ Content-Type = "application/x-www-form-urlencoded" }}
body = "_token={{csrf}}&n={{national}}"
[limits]
rate = "5000/s"
concurrency = 8
[fields]
operator = {{ css = "dd.op", required = true }}
"""


class Register:
    """A public register's page: a form with a hidden field that holds for one session and one use."""

    def __init__(self) -> None:
        self.sessions: dict[str, str] = {}
        self.ids = itertools.count()
        self.robots = ""

    def __call__(self, asked: Asked) -> Answered:
        if asked.path == "/robots.txt":
            return Answered(self.robots, 200 if self.robots else 404, type="text/plain")
        if asked.path == "/form":
            nth = str(next(self.ids))
            self.sessions[f"s{nth}"] = f'+&"{nth}'
            value = f"+&amp;&quot;{nth}"
            return Answered(f"<input name=_token value='{value}'>", headers=[
                ("Set-Cookie", f"sid=s{nth}; HttpOnly"), ("Set-Cookie", "other=1; Path=/elsewhere"),
            ])  # fmt: skip
        sid = asked.headers.get("Cookie", "").removeprefix("sid=")
        if self.sessions.pop(sid, None) != asked.form["_token"]:
            return Answered("expired", 419)
        return Answered(f"<dd class=op>Op {asked.form['n']}</dd>")


def test_a_form_gets_its_own_hidden_field_and_cookies_for_each_number(tmp_path: Path) -> None:
    with provider(Register()) as server:
        source = worker(recipe_of(tmp_path, FORM, url=server.url))
        assert set(outcomes(source, NUMBERS)) == {Outcome.FOUND}
    assert server.paths["/form"] == server.paths["/search"] == len(NUMBERS)


def test_robots_are_asked_about_the_form_too(tmp_path: Path) -> None:
    register = Register()
    register.robots = "User-agent: *\nDisallow: /form\n"
    with provider(register) as server, pytest.raises(SourceStopped, match=CauseCode.ROBOTS_REFUSE):
        worker(recipe_of(tmp_path, FORM, url=server.url)).lookup(NUMBERS[0])
    assert set(server.paths) == {"/robots.txt"}


def test_an_address_inside_the_network_is_refused_before_too(tmp_path: Path) -> None:
    with provider(Tokens()) as server:
        made = recipe_of(tmp_path, TOKEN, url=server.url, keep='"1 h"')
        text = made.text.replace(f"{server.url}/hlr", "https://example.com/hlr")
        (tmp_path / "my.toml").write_text(text)
        with pytest.raises(SourceStopped, match=CauseCode.ADDRESS_REFUSED):
            worker(read_recipe(tmp_path / "my.toml"), allow_private=()).lookup(NUMBERS[0])
        assert not server.asked


IDS = """
name = "ids"
kind = "json"
[[before]]
url = "{url}/hlr"
method = "POST"
body = '{{"msisdn": {{digits}}}}'
take = {{ id = "id" }}
[request]
url = "{url}/hlr/{{id}}"
[limits]
rate = "{rate}"
[outcome]
not_found = [{{ json = "status == 'absent'" }}]
success = [{{ json = "status == 'active'" }}]
[fields]
network = "network"
"""


def ids(asked: Asked) -> Answered:
    if asked.method == "POST":
        number = str(asked.json["msisdn"])
        if number.endswith("9"):
            return Answered({"errors": ["no valid msisdn"]}, 422)
        return Answered({"id": f"x{number}", "status": "sent"}, 201)
    number = asked.path.rpartition("/x")[2]
    return Answered({"status": "absent"} if number.endswith("7") else {"status": "active", "network": 21403})


def test_the_answer_of_one_request_names_the_next(tmp_path: Path) -> None:
    """And what the first one says of the number counts: the rules for success are those of the last answer."""
    with provider(ids) as server:
        source = worker(recipe_of(tmp_path, IDS, url=server.url, rate="5000/s"))
        found = outcomes(source, NUMBERS[:10])
    assert found == [
        Outcome.REJECTED if n == 9 else Outcome.NOT_FOUND if n == 7 else Outcome.FOUND for n in range(10)
    ]  # fmt: skip
    assert server.paths["/hlr"] == 10 and len(server.asked) == 19


def test_it_waits_for_its_slot_as_any_request(tmp_path: Path, redis: Redis) -> None:
    """Two requests for each number, and the estimate says so."""
    with provider(ids) as server:
        made = recipe_of(tmp_path, IDS, url=server.url, rate="2/s")
        assert made.seconds_per_number == 1.0
        waits: list[float] = []

        class Counting:
            def wait(self, stop: Any) -> None:
                waits.append(1)

            def report(self, reason: str) -> None: ...

            def pause(self, seconds: float) -> None: ...

        worker(made, make_limiter=lambda rate: Counting()).lookup(NUMBERS[0])
    assert len(waits) == len(server.asked) == 2
    assert isinstance(server, Provider)


# ── mistakes ────────────────────────────────────────────────────────────────────────────────────────────────────────

BEFORE = TOKEN.replace("{{", "{").replace("}}", "}").replace("{url}", "https://h.example").replace("{keep}", '"25 min"')
MISTAKES = [
    ('keep = "25 min"', 'keep = "soon"', "before.keep", "bad_keep"),
    ('keep = "25 min"', 'keep = { path = "a." }', "before.keep.path", "bad_path"),
    ('keep = "25 min"', 'keep = { seconds = "a" }', "before.keep.path", "missing"),
    ("take = { token", "take = { e164", "before.take.e164", "bad_taken_name"),
    ("take = { token", "take = { Token", "before.take.Token", "bad_taken_name"),
    ('"payload.access_token"', '{ css = "p" }', "before.take.token.css", "not_in_format"),
    ('take = { token = "payload.access_token" }', "", "before.take", "missing"),
    ("https://h.example/auth", "https://h.example/{digits}", "before.keep", "keep_about_number"),
    ("https://h.example/auth", "https://h.example/{token}", "before.url", "bad_placeholder"),
    ("https://h.example/auth", "https://ada:x@h.example/auth", "before.url", "user_in_address"),
    ("{secret:MW_USER}", "{secret:SECRET_KEY}", "before.body", "secret_is_setting"),
    ("{token}", "{tokens}", "request.headers", "bad_placeholder"),
    ("{digits}", "{token}", "request.url", "no_number"),
    ('keep = "25 min"', 'keep = "25 min"\nwait = 3', "before.wait", "unknown_key"),
]


@pytest.mark.parametrize(("old", "new", "key", "code"), MISTAKES)
def test_a_mistake_has_its_key(old: str, new: str, key: str, code: str, tmp_path: Path) -> None:
    from tests.sources.recipes.test_loader import mistakes

    assert old in BEFORE
    assert (key, code) in [(one.key, one.code) for one in mistakes(tmp_path, BEFORE.replace(old, new, 1))]

"""Recipes for tests: sources of each kind at the test's own server, written as TOML like any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal import sources
from portal.sources.http.source import HttpSource, facts_of
from portal.sources.recipes.loader import read_recipe
from portal.sources.recipes.model import Recipe

LOOPBACK = ("127.0.0.0/8",)
SECRETS = {"TEST_KEY": 's3cr3t/+ "key'}

JSON = """
name = "json-test"
kind = "json"
[request]
url = "{url}/v1/lookup/{{e164}}"
headers = {{ Authorization = "Bearer {{secret:TEST_KEY}}" }}
timeout = {timeout}
max_body = "50 kB"
[limits]
rate = "{rate}"
concurrency = {concurrency}
[outcome]
blocked = [{{ text = "captcha" }}]
rejected = [{{ json = "status == 'refused'" }}]
not_found = [{{ json = "status == 'unknown'" }}]
success = [{{ json = "status == 'ok'" }}]
[fields]
operator = {{ path = "data.operator", required = true, label = {{ en = "Operator now", es = "Operador" }} }}
ported = {{ path = "data.ported", type = "bool" }}
"""

MANY = """
name = "many-test"
kind = "batch"
[request]
url = "{url}/v1/many"
method = "POST"
headers = {{ Authorization = "Bearer {{secret:TEST_KEY}}" }}
body = '{{"numbers": {{numbers_json}}}}'
timeout = {timeout}
[batch]
size = 10
items = "results"
key = "number"
[limits]
rate = "{rate}"
concurrency = {concurrency}
[outcome]
no_credit = [{{ json = "status == 'no_credit'" }}]
rejected = [{{ json = "status == 'refused'" }}]
not_found = [{{ json = "status == 'unknown'" }}]
[fields]
operator = {{ path = "data.operator", required = true }}
ported = {{ path = "data.ported", type = "bool" }}
"""

BY_TICKET = """
number = "digits"
[batch.poll]
url = "{url}/v2/batches/{{ticket}}"
ticket = "id"
interval = 0.02
limit = 5
ready = [{{ json = "state == 'done'" }}]
"""
POLL = (
    MANY.replace("many-test", "poll-test")
    .replace("/v1/many", "/v2/batches")
    .replace('"numbers":', '"msisdns":')
    .replace('key = "number"\n', f'key = "number"{BY_TICKET}')
)

KEYED = POLL.replace("poll-test", "keyed-test").replace('TEST_KEY}}"', 'TEST_KEY}}", Idempotency-Key = "{{batch_key}}"')

HTML = """
name = "html-test"
kind = "html"
[request]
url = "{url}/number?country={{country_code}}&n={{national}}"
timeout = {timeout}
[limits]
rate = "{rate}"
concurrency = {concurrency}
[outcome]
blocked = [{{ text = "captcha" }}, {{ css = "form#login" }}]
not_found = [{{ css = "p.no-result" }}]
[fields]
operator = {{ css = "dl.record dd.operator", required = true }}
line = {{ css = "dd.kind::attr(data-kind)", map = {{ mov = "mobile" }} }}
"""

KINDS = {"json": JSON, "many": MANY, "poll": POLL, "html": HTML}
ALL = {**KINDS, "keyed": KEYED}


def recipe(
    folder: Path,
    kind: str,
    url: str,
    *,
    rate: str = "2000/s",
    concurrency: int = 8,
    timeout: float = 1.5,  # longer than a busy machine takes: a late response would be requested again
    changed: tuple[str, str] = ("", ""),
) -> Recipe:
    """One recipe of ALL, at that address. `changed`: a text in it, and its replacement."""
    path = folder / f"{kind}-test.toml"
    text = ALL[kind].format(url=url, rate=rate, concurrency=concurrency, timeout=timeout)
    assert changed[0] in text
    path.write_text(text.replace(*changed) if changed[0] else text)
    return read_recipe(path)


@contextmanager
def registered(made: Recipe, **parts: object) -> Iterator[HttpSource]:
    """The recipe's source, registered under its name."""
    given = {"environ": SECRETS, "allow_private": LOOPBACK, **parts}
    source = HttpSource(made, **given)  # type: ignore[arg-type]
    sources.register(made.name, lambda: source, facts_of(made))
    try:
        yield source
    finally:
        sources.unregister(made.name)

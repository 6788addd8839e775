"""Recipes from their files: what is read, and a sentence with file, line and key for each mistake."""

import re
import textwrap
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

from portal import sources
from portal.config import LOCALES
from portal.sources import catalogue
from portal.sources.catalogue import read_file
from portal.sources.recipes.folder import EXAMPLES, SHELF
from portal.sources.recipes.loader import read_recipe
from portal.sources.recipes.model import AnswerFormat, Recipe, Rule
from portal.sources.recipes.toml_table import BadRecipe, Mistake
from portal.sources.recipes.words import DIFFERENCES, SENTENCES, difference_words, mistake_words
from portal.sources.selftest import run_tests

GOOD = """\
name = "operator-api"
kind = "json"

[request]
url = "https://api.example.com/v1/{e164}"
headers = { Authorization = "Bearer {secret:OPERATOR_KEY}" }
timeout = 10
max_body = "1 MB"

[limits]
rate = "600/min"
concurrency = 8
cache = "30 days"

[outcome]
not_found = [{ status = [404] }, { json = "status == 'unknown'" }]

[fields]
operator = "data.carrier.current"
kind = { path = "data.kind", map = { M = "mobile" }, required = true }
"""
HTML = GOOD.replace('kind = "json"', 'kind = "html"', 1).partition("[outcome]")[0] + '[fields]\noperator = "dd"\n'


def read(folder: Path, text: str) -> Recipe:
    path = folder / "my.toml"
    path.write_text(text)
    return read_recipe(path)


def mistakes(folder: Path, text: str) -> list[Mistake]:
    with pytest.raises(BadRecipe) as refused:
        read(folder, text)
    return list(refused.value.mistakes)


def test_a_recipe_is_read_whole(tmp_path: Path) -> None:
    recipe = read(tmp_path, GOOD)
    assert (recipe.name, recipe.kind, recipe.secrets) == ("operator-api", AnswerFormat.JSON, ("OPERATOR_KEY",))
    assert (recipe.request.timeout_seconds, recipe.request.max_body_bytes, recipe.request.redirects) == (10, 10**6, 0)
    assert (recipe.limits.per_second, recipe.limits.concurrency, recipe.limits.cache_days) == (10, 8, 30)
    assert recipe.outcomes["not_found"] == (Rule(status=(404,)), Rule(json="status == 'unknown'"))
    assert [(field.name, field.path, field.required) for field in recipe.fields] == [
        ("operator", "data.carrier.current", False), ("kind", "data.kind", True),
    ]  # fmt: skip


def test_its_version_changes_with_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).version != read(tmp_path, GOOD.replace("timeout = 10", "timeout = 11")).version


def test_a_page_uses_selectors_and_obeys_robots(tmp_path: Path) -> None:
    recipe = read(tmp_path, HTML)
    assert recipe.limits.robots and recipe.fields[0].css == "dd"
    assert not read(tmp_path, GOOD).limits.robots


WRONG = [
    ('kind = "json"', 'kind = "soap"', "kind", "not_one_of"),
    ('name = "operator-api"', 'name = "Operator API"', "name", "bad_name"),
    ('name = "operator-api"', 'name = "offline"', "name", "name_taken"),
    ("https://api", "ftp://api", "request.url", "bad_address"),
    ("https://api.example.com", "https://{e164}.example.com", "request.url", "bad_address"),
    ("https://api.example.com", "https://{secret:HOST}", "request.url", "bad_address"),
    ("/v1/{e164}", "/v1/", "request.url", "no_number"),
    ("/v1/{e164}", "/v1/{e164}/{phone}", "request.url", "bad_placeholder"),
    ("OPERATOR_KEY", "SECRET_KEY", "request.headers", "secret_is_setting"),
    ("timeout = 10", "timeout = 0", "request.timeout", "not_between"),
    ("timeout = 10", 'timeout = "10"', "request.timeout", "not_between"),
    ("timeout = 10", "time_out = 10", "request.time_out", "unknown_key"),
    ('max_body = "1 MB"', 'max_body = "1 GB"', "request.max_body", "bad_size"),
    ('rate = "600/min"', 'rate = "many"', "limits.rate", "bad_rate"),
    ('rate = "600/min"', 'rate = "0/s"', "limits.rate", "bad_rate"),
    ("concurrency = 8", "concurrency = 1000", "limits.concurrency", "not_between"),
    ('cache = "30 days"', 'cache = "a while"', "limits.cache", "bad_days"),
    ("concurrency = 8", "robots = true", "limits.robots", "html_only"),
    ("[404]", '["404"]', "outcome.not_found.status", "bad_status"),
    ("status == 'unknown'", "status ==", "outcome.not_found.json", "bad_path"),
    ("{ json = \"status == 'unknown'\" }", '{ css = "p" }', "outcome.not_found.css", "not_in_format"),
    ("{ json = \"status == 'unknown'\" }", "{ }", "outcome.not_found", "no_rule"),
    ("not_found = [", "lost = [", "outcome.lost", "unknown_key"),
    ('"data.carrier.current"', '"data..current"', "fields.operator.path", "bad_path"),
    ('path = "data.kind"', 'css = "p"', "fields.kind.css", "not_in_format"),
    ('path = "data.kind"', 'path = "data.kind", css = "p"', "fields.kind", "one_selector"),
    ("required = true", 'required = "yes"', "fields.kind.required", "not_yes_no"),
    ("required = true", 'regex = "("', "fields.kind.regex", "bad_regex"),
    ("operator = ", "Operator = ", "fields.Operator", "bad_name"),
    ("https://api", "https://me:pass@api", "request.url", "user_in_address"),
    ('"data.carrier.current"', '"data.\\"{digits}\\".current"', "fields.operator.path", "not_filled_here"),
    ("{ json = \"status == 'unknown'\" }", '{ text = "{e164}" }', "outcome.not_found.text", "not_filled_here"),
    ("required = true", 'type = "date", format = "%d/%m"', "fields.kind.format", "bad_date_format"),
    ("required = true", 'type = "text", decimal = ","', "fields.kind.decimal", "only_for_type"),
    ("[limits]", "[answer]\nformat = 'soap'\n[limits]", "answer.format", "not_one_of"),
    ("[limits]", "[answer]\nformat = 'csv'\ndelimiter = ';;'\n[limits]", "answer.delimiter", "bad_delimiter"),
    ("[limits]", "[answer]\nheader = false\n[limits]", "answer.header", "not_in_format"),
    ("[limits]", "[answer]\nnamespaces = { t = 'urn:t' }\n[limits]", "answer.namespaces", "not_in_format"),
    ("[limits]", "[answer]\ncharset = 'klingon'\n[limits]", "answer.charset", "bad_charset"),
    ("[limits]", "[answer]\ncharset = 'base64'\n[limits]", "answer.charset", "bad_charset"),
    ("not_found = [", "limited = [{ text = 'slow', wait = '..' }]\nnot_found = [", "outcome.limited.wait", "bad_path"),
    ("not_found = [{", "not_found = [{ wait = 'x',", "outcome.not_found.wait", "unknown_key"),
]


@pytest.mark.parametrize(("right", "wrong", "key", "code"), WRONG, ids=[f"{key}-{code}" for _, _, key, code in WRONG])
def test_a_mistake_is_named_with_its_key_and_line(tmp_path: Path, right: str, wrong: str, key: str, code: str) -> None:
    text = GOOD.replace(right, wrong, 1)
    assert text != GOOD
    found = mistakes(tmp_path, text)
    assert (key, code) in [(one.key, one.code) for one in found]
    new = {n: line for n, line in enumerate(text.split("\n"), 1) if line not in GOOD.split("\n")}
    named = {n for n, line in new.items() if line.startswith(key.rpartition(".")[2])} or set(new)
    assert named & {one.line for one in found if one.code == code}


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("timeout = 10", "timeout = 0").replace('"600/min"', '"fast"').replace("ed = true", "ed = 1")
    assert [one.line for one in mistakes(tmp_path, text)] == [7, 11, 20]


def test_invalid_toml_says_where(tmp_path: Path) -> None:
    (one,) = mistakes(tmp_path, GOOD.replace('kind = "json"', 'kind = "json', 1))
    assert (one.code, one.line) == ("not_toml", 2)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadRecipe):
        read_recipe(tmp_path / "bytes.toml")


@pytest.mark.parametrize(
    ("form", "value", "key", "code"),
    [
        ("xml", '"//t:operator"', "fields.operator.xpath", "bad_xpath"),
        ("xml", '{ path = "operator" }', "fields.operator.path", "not_in_format"),
        ("csv", '{ css = "b" }', "fields.operator.css", "not_in_format"),
        ("text", '{ type = "bool" }', "fields.operator", "needs_regex"),
        ("text", '{ path = "operator" }', "fields.operator.path", "not_in_format"),
        ("html", '{ regex = "x" }', "fields.operator", "one_selector"),
    ],
)
def test_a_field_goes_with_the_format_of_the_answer(tmp_path: Path, form: str, value: str, key: str, code: str) -> None:
    begin = GOOD.partition("[outcome]")[0].replace("[limits]", f"[answer]\nformat = '{form}'\n[limits]")
    (mistake,) = mistakes(tmp_path, f"{begin}[fields]\noperator = {value}\n")
    assert (mistake.key, mistake.code, mistake.line) == (key, code, begin.count("\n") + 2)


@pytest.mark.parametrize("each", ["{secret:K}", "{phone}", "x", "{numbers}"])
def test_each_is_one_number(tmp_path: Path, each: str) -> None:
    text = MANY.replace("{numbers_json}", "[{numbers}]").replace("[batch]", f"[batch]\neach = '{each}'")
    assert {(one.key, one.line) for one in mistakes(tmp_path, text)} == {("batch.each", 9)}
    assert read(tmp_path, text.replace(f"each = '{each}'", 'each = \'{"tel": "{e164}"}\'')).batch


def test_many_answers_are_json_or_csv(tmp_path: Path) -> None:
    text = MANY.replace("[batch]", "[answer]\nformat = 'xml'\n[batch]").replace('x = "x"', 'x = "//x"')
    assert [(one.key, one.code) for one in mistakes(tmp_path, text)] == [("answer.format", "not_for_batch")]


POLLED = """\
name = "later-api"
kind = "batch"

[request]
url = "https://api.example.com/v2/batches"
method = "POST"
headers = { Idempotency-Key = "{batch_key}" }
body = '{"msisdns": {numbers_json}}'

[batch]
items = "results"
key = "number"

[batch.poll]
url = "https://api.example.com/v2/batches/{ticket}"
ticket = "id"
ready = [{ json = "state == 'done'" }]
gone = [{ json = "state == 'failed'" }]
keep_hours = 48

[fields]
operator = "data.operator"
"""


def test_a_ticket_has_its_rules_and_its_time(tmp_path: Path) -> None:
    batch = read(tmp_path, POLLED).batch
    assert batch and batch.poll
    assert (batch.poll.keep_seconds, batch.poll.gone) == (48 * 3600, (Rule(json="state == 'failed'"),))


@pytest.mark.parametrize(
    ("text", "key", "code"),
    [
        (POLLED.partition("[batch.poll]")[0] + "[fields]\noperator = 'x'\n", "batch.poll", "key_needs_poll"),
        (POLLED.replace("keep_hours = 48", "keep_hours = 0"), "batch.poll.keep_hours", "not_between"),
        (POLLED.replace("gone = [{ json", "gone = [{ css"), "batch.poll.gone.css", "not_in_format"),
        (POLLED.replace("{batch_key}", "{batch_kee}"), "request.headers", "bad_placeholder"),
        (GOOD.replace("Bearer {secret:OPERATOR_KEY}", "{batch_key}"), "request.headers", "bad_placeholder"),
    ],
)
def test_a_mistake_about_tickets_is_named(tmp_path: Path, text: str, key: str, code: str) -> None:
    assert (key, code) in [(one.key, one.code) for one in mistakes(tmp_path, text)]


MANY = """\
name = "many"
kind = "batch"
[request]
url = "https://api.example.com/many"
headers = { X-Key = "{secret:K}" }
method = "POST"
body = '{"n": {numbers_json}}'
[batch]
items = "r"
key = "n"
[fields]
x = "x"
"""


@pytest.mark.parametrize(
    ("before", "after", "key", "code", "line"),
    [
        ("{numbers_json}", "1", "request.body", "no_number", 7),
        ("com/many", "com/{e164}", "request.url", "one_of_many", 4),
        ("{secret:K}", "{digits}", "request.headers", "one_of_many", 5),
        ('key = "n"', 'key = "n"\nurl = "https://api.example.com/{national}"', "batch.url", "one_of_many", 11),
        ("com/many", "com/{phone}", "request.url", "bad_placeholder", 4),
        ('key = "n"', "key = 'n'\neach = '{e164}'", "batch.each", "needs_numbers", 11),
        ('key = "n"', "key = 'n'\njoin = ';'", "batch.join", "needs_numbers", 11),
        ('items = "r"', "items = '@map r['", "batch.items", "bad_items", 9),
    ],
)
def test_a_mistake_in_the_request_of_a_batch_is_named_once(
    tmp_path: Path, before: str, after: str, key: str, code: str, line: int
) -> None:
    text = MANY.replace(before, after, 1)
    assert [(one.key, one.code, one.line) for one in mistakes(tmp_path, text)] == [(key, code, line)]
    if code == "one_of_many":
        assert read(tmp_path, text.replace("[batch]", "[batch]\nsize = 1")).batch


def test_a_batch_needs_numbers_items_and_key(tmp_path: Path) -> None:
    text = GOOD.replace('"json"', '"batch"', 1)
    assert [(one.key, one.code) for one in mistakes(tmp_path, text)] == [("batch", "missing")]
    text = (
        text.replace("/{e164}", "")
        .replace("[limits]", "[batch]\nsize = 10\n[limits]")
        .replace("timeout", "method = 'POST'\nbody = '{numbers_json}'\ntimeout")
    )
    assert {one.key for one in mistakes(tmp_path, text)} >= {"batch.items", "batch.key"}
    assert read(tmp_path, text.replace("size = 10", 'size = 10\nitems = "r"\nkey = "n"')).batch


def test_a_sample_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path.parent / "outside.json").write_text("{}")
    for file in ("none.json", "../outside.json", "/etc/passwd"):
        text = f'{GOOD}\n[[test]]\nnumber = "+34612345678"\nresponse = "{file}"\n'
        assert "sample_missing" in [one.code for one in mistakes(tmp_path, text)]


def test_every_mistake_has_a_sentence(app: Flask, tmp_path: Path) -> None:
    folder = Path(sources.__file__).parent / "recipes"
    written = "".join(path.read_text() for path in folder.glob("*.py"))
    codes = set(re.findall(r'wrong\([^"\n]*"[a-z_]*", "([a-z_]+)"', written)) | set(
        re.findall(r'wrong\(key, "([a-z_]+)"', written)
    )
    assert codes <= set(SENTENCES)
    for locale in LOCALES:
        with force_locale(locale):
            for one in mistakes(tmp_path, GOOD.replace("timeout = 10", "timeout = 0").replace("600/min", "fast")):
                text = mistake_words(one)
                assert "my.toml" in text and str(one.line) in text and one.key in text and "%(" not in text


# What the documentation leaves out of its samples, as it stands in other parts of them.
AROUND = {"name": 'name = "sample"\nkind = "json"\n', "[fields]": '[fields]\noperator = "op"\n'}


def samples_of_the_documentation() -> list[str]:
    text = (Path(sources.__file__).parents[2] / "docs" / "sources.md").read_text()
    return re.findall(r"^ *```toml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("sample", samples_of_the_documentation(), ids=lambda text: text.strip().splitlines()[0])
def test_a_sample_of_the_documentation_is_a_recipe(sample: str, tmp_path: Path) -> None:
    sample = textwrap.dedent(sample).partition("[[test]]")[0]
    if "name =" not in sample:
        sample = AROUND["name"] + sample
    if "[request]" not in sample:
        sample += '[request]\nurl = "https://h.example/{e164}"\n'
    if "[fields]" not in sample:
        sample += AROUND["[fields]"]
    read(tmp_path, sample)


# ── the recipes that ship ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", sorted([*EXAMPLES.glob("*.toml"), *SHELF.glob("*.toml")]), ids=lambda path: path.stem)
def test_a_recipe_that_ships_passes_its_own_tests(path: Path) -> None:
    recipe = read_recipe(path)
    results = run_tests(recipe)
    assert len(results) >= 2
    assert all(result.passed for result in results), results


def test_an_example_of_each_kind_ships() -> None:
    shipped = [read_recipe(path) for path in EXAMPLES.glob("*.toml")]
    assert {recipe.kind for recipe in shipped} == set(AnswerFormat)
    assert any(recipe.batch and recipe.batch.poll for recipe in shipped)
    assert not {recipe.name for recipe in shipped} & set(sources.names()), "examples are not offered"


CHANGED = [
    ("operator-api", "operator-ok.json", '"current":', '"now":', "current_operator", "field_missing"),
    ("operator-api", "operator-ok.json", '"21407"', '"21401"', "mccmnc", "field_differs"),
    ("hlr-batch", "hlr-done.json", '"FR"', '"PT"', "roaming", "field_differs"),
    ("hlr-batch", "hlr-done.json", "34612345678", "34612345670", "", "no_item"),
    ("number-pages", "register-found.html", 'class="operator"', 'class="op"', "operator_on_record", "field_missing"),
    ("number-pages", "register-found.html", "marzo de 2019", "marzo de 2020", "since", "field_differs"),
    ("operator-soap", "soap-found.xml", "</r:network>", "", "", "not_readable"),
    ("number-pages", "register-none.html", "no-result", "none", "operator_on_record", "field_missing"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sample", "before", "after", "field", "code"), CHANGED)
def test_a_failed_test_names_the_field(
    app: Flask, tmp_path: Path, name: str, sample: str, before: str, after: str, field: str, code: str
) -> None:
    (tmp_path / "samples").mkdir()
    for path in [EXAMPLES / f"{name}.toml", *(EXAMPLES / "samples").iterdir()]:
        (tmp_path / path.relative_to(EXAMPLES)).write_bytes(path.read_bytes())
    changed = tmp_path / "samples" / sample
    assert before in changed.read_text()
    changed.write_text(changed.read_text().replace(before, after))
    found = [one for result in run_tests(read_recipe(tmp_path / f"{name}.toml")) for one in result.differences]
    assert (field, code) in [(one.field, one.code) for one in found]
    assert {one.code for one in found} <= set(DIFFERENCES)
    with force_locale("en"):
        assert all(one.field in difference_words(one) for one in found)


# ── the folder ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path):
    yield tmp_path
    catalogue.configure(None, tmp_path / "nowhere", {})


def test_a_recipe_in_the_folder_is_offered(folder: Path) -> None:
    (folder / "a.toml").write_text(GOOD)
    assert catalogue.configure(None, folder, {"OPERATOR_KEY": "x"})[0].usable
    assert "operator-api" in sources.names()
    assert sources.fields_of("operator-api") == ("operator", "kind")
    catalogue.configure(None, folder / "nowhere", {})
    assert "operator-api" not in sources.names()


def test_a_recipe_without_its_secret_is_not_offered(folder: Path) -> None:
    (folder / "a.toml").write_text(GOOD)
    (found,) = catalogue.configure(None, folder, {})
    assert (found.usable, found.missing, found.name) == (False, ("OPERATOR_KEY",), "operator-api")
    assert "operator-api" not in sources.names()


def test_a_bad_recipe_does_not_affect_others(folder: Path) -> None:
    (folder / "a.toml").write_text(GOOD)
    (folder / "b.toml").write_text(GOOD)
    (folder / "c.toml").write_text("name = ")
    found = catalogue.configure(None, folder, {"OPERATOR_KEY": "x"})
    assert [one.usable for one in found] == [True, False, False]
    assert found[1].mistakes[0].code == "name_taken"
    assert read_file(folder / "c.toml").mistakes

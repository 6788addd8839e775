# ruff: noqa: E501
"""Batches that are uploaded as a file, are answered by what was sent for each number, or from another address."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from portal.causes import CauseCode
from portal.sources.base import NoTickets, Outcome, SourceStopped, SubmittedBatch
from portal.sources.http.source import HttpSource
from portal.sources.recipes.loader import read_recipe
from portal.sources.recipes.model import Recipe
from tests.sources.recipes.test_loader import mistakes
from tests.support.provider import Answered, Asked, provider
from tests.support.recipes import LOOPBACK

NUMBERS = [f"+3461234{n:04d}" for n in range(20)]

ROBINSON = """
name = "robinson"
kind = "batch"
[request]
url = "{url}/v1/api/user"
body = "{{numbers}}"
method = "POST"
headers = {{ Content-Type = "text/plain" }}
[batch]
size = 60
each = "{{digits|prefix:0400|sha256}}"
join = ","
items = "@map"
key = "@each"
[sign]
method = "aws4"
key = "{{secret:ROBINSON_KEY}}:{{secret:ROBINSON_SECRET}}"
scope = "eu-west-1/execute-api"
into = "query"
[limits]
rate = "5000/s"
[fields]
robinson = {{ path = "value.found", type = "bool", required = true }}
"""
CSV = """
name = "upload"
kind = "batch"
[request]
url = "{url}/batches"
headers = {{ Authorization = "Bearer {{secret:KEY}}" }}
[answer]
format = "csv"
[batch]
size = 100
file = {{ field = "file", header = "msisdn", each = "{{digits}}", form = {{ email = "{{secret:EMAIL}}" }} }}
items = "@"
key = "msisdn"
[batch.poll]
url = "{url}/batches/{{ticket}}"
ticket = "id"
ready = [{{ json = "status == 'done'" }}]
results = "download_url"
interval = 0.02
limit = 2
[limits]
rate = "5000/s"
[outcome]
not_found = [{{ json = "state == 'unknown'" }}]
[fields]
operator = {{ path = "operator", required = true }}
"""
SECRETS = {"ROBINSON_KEY": "AKID", "ROBINSON_SECRET": "s3cret/+", "KEY": "the-key", "EMAIL": "ada@example.com"}


def recipe_of(folder: Path, text: str, **values: str) -> Recipe:
    path = folder / "my.toml"
    path.write_text(text.format(**values))
    return read_recipe(path)


def session_of(made: Recipe, **parts: Any) -> Any:
    return HttpSource(made, SECRETS, **{"allow_private": LOOPBACK, **parts}).open_session(lambda: False, NoTickets())


def test_an_answer_by_hash_finds_its_numbers(tmp_path: Path) -> None:
    """The list knows every third number, and answers in capitals."""
    known = [hashlib.sha256(f"0400{number[1:]}".encode()).hexdigest() for number in NUMBERS]

    def answer(asked: Asked) -> Answered:
        assert asked.query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256" and len(asked.query["X-Amz-Signature"]) == 64
        assert asked.query["X-Amz-Credential"].startswith("AKID/")
        sent = asked.body.decode().split(",")
        assert sent == known
        return Answered({text.upper(): {"found": n % 3 == 0} for n, text in enumerate(sent)})

    with provider(answer) as server:
        answers = session_of(recipe_of(tmp_path, ROBINSON, url=server.url)).lookup_many(NUMBERS)
        assert len(server.asked) == 1
    assert [answers[number].fields["robinson"] for number in NUMBERS] == [
        "yes" if n % 3 == 0 else "no" for n in range(20)
    ]  # fmt: skip


class Uploads:
    """A provider that takes a CSV and gives the link to another one, which ends after a moment."""

    def __init__(self) -> None:
        self.files: list[list[str]] = []
        self.forms: list[bytes] = []
        self.link = "{url}/files/{n}.csv?sig=abc-secret"
        self.statuses = [200]
        self.polls = 0
        self.url = ""

    def __call__(self, asked: Asked) -> Answered:
        if asked.method == "POST":
            content = re.search(
                rb'filename="numbers.csv"\r\nContent-Type: text/csv\r\n\r\n(.*?)\r\n--', asked.body, re.S
            )
            assert content and asked.headers["Authorization"] == "Bearer the-key"
            lines = content[1].decode().splitlines()
            assert lines[0] == "msisdn"
            self.files.append(lines[1:])
            self.forms.append(asked.body)
            return Answered({"id": f"b{len(self.files) - 1}"}, 202)
        if asked.path.startswith("/batches/"):
            self.polls += 1
            if self.polls == 1:
                return Answered({"status": "running"})
            n = asked.path.rpartition("/b")[2]
            return Answered({"status": "done", "download_url": self.link.format(url=self.url, n=n)})
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status != 200:
            return Answered("gone", status)
        rows = [
            f"{number},{'unknown,' if number.endswith('7') else f'ok,Op {number[-2:]}'}" for number in self.files[0]
        ]
        return Answered("\n".join(["msisdn,state,operator", *rows]), type="text/csv")


def test_a_file_goes_up_and_the_answers_come_from_their_own_address(tmp_path: Path) -> None:
    uploads = Uploads()
    uploads.statuses = [503, 403, 200]  # the link has ended: the next poll brings another
    with provider(uploads) as server:
        uploads.url = server.url
        answers = session_of(recipe_of(tmp_path, CSV, url=server.url)).lookup_many(NUMBERS)
        fetched = [one for one in server.asked if one.path.startswith("/files/")]
    assert uploads.files == [[number[1:] for number in NUMBERS]] and b"ada@example.com" in uploads.forms[0]
    assert [answers[number].outcome for number in NUMBERS] == [
        Outcome.NOT_FOUND if number.endswith("7") else Outcome.FOUND for number in NUMBERS
    ]  # fmt: skip
    assert len(fetched) == 3 and fetched[0].headers["Authorization"] == "Bearer the-key"


def test_another_host_gets_no_key(tmp_path: Path) -> None:
    uploads = Uploads()
    with provider(uploads) as server, provider(uploads) as files:
        uploads.url = files.url
        answers = session_of(recipe_of(tmp_path, CSV, url=server.url)).lookup_many(NUMBERS)
        assert {answer.outcome for answer in answers.values()} == {Outcome.FOUND, Outcome.NOT_FOUND}
        assert len(files.asked) == 1 and not {"Authorization", "authorization"} & set(files.asked[0].headers)


def test_a_relative_address_is_the_source_s_own(tmp_path: Path) -> None:
    uploads = Uploads()
    uploads.link = "/files/{n}.csv"
    with provider(uploads) as server:
        answers = session_of(recipe_of(tmp_path, CSV, url=server.url)).lookup_many(NUMBERS)
    assert answers[NUMBERS[0]].fields == {"operator": "Op 00"}


class Kept(NoTickets):
    """Remembers what became of tickets."""

    def __init__(self) -> None:
        self.dropped: list[SubmittedBatch] = []

    def drop(self, batch: SubmittedBatch, *, lost: bool) -> None:
        self.dropped.append(batch)


@pytest.mark.parametrize("link", ["http://169.254.169.254/latest", "file:///etc/passwd", "http://10.0.0.1/x.csv"])
def test_an_address_inside_the_network_is_not_fetched(link: str, tmp_path: Path) -> None:
    """The ticket stays: what is paid for is fetched once the source says a right address."""
    uploads, tickets = Uploads(), Kept()
    uploads.link = link
    with provider(uploads) as server:
        source = HttpSource(recipe_of(tmp_path, CSV, url=server.url), SECRETS, allow_private=LOOPBACK)
        with pytest.raises(SourceStopped, match=CauseCode.ADDRESS_REFUSED):
            source.open_session(lambda: False, tickets).lookup_many(NUMBERS)
    assert not tickets.dropped


def test_one_number_by_ticket_needs_no_list(tmp_path: Path) -> None:
    """POST one number, get an id, poll for it: tickets survive a kill, as those of any batch."""
    text = """
name = "bird"
kind = "batch"
[request]
url = "{url}/hlr"
method = "POST"
body = '{{"msisdn": {{digits}}}}'
[batch]
size = 1
items = "[@]"
key = "msisdn"
[batch.poll]
url = "{url}/hlr/{{ticket}}"
ticket = "id"
ready = [{{ json = "status != 'sent'" }}]
interval = 0.02
[limits]
rate = "5000/s"
[fields]
network = {{ path = "network", required = true }}
"""

    def answer(asked: Asked) -> Answered:
        if asked.method == "POST":
            return Answered({"id": f"x{asked.json['msisdn']}", "status": "sent"}, 201)
        return Answered({"msisdn": int(asked.path.rpartition("x")[2]), "status": "active", "network": 21403})

    with provider(answer) as server:
        session = session_of(recipe_of(tmp_path, text, url=server.url))
        found = [session.lookup_many([number])[number] for number in NUMBERS[:3]]
    assert [answer.fields for answer in found] == [{"network": "21403"}] * 3


UPLOAD = CSV.replace("{{", "{").replace("}}", "}").replace("{url}", "https://h.example")
LIST = ROBINSON.replace("{{", "{").replace("}}", "}").replace("{url}", "https://h.example")


@pytest.mark.parametrize(
    ("text", "old", "new", "key", "code"),
    [
        (UPLOAD, 'field = "file", ', "", "batch.file.field", "missing"),
        (UPLOAD, 'each = "{digits}"', 'each = "x"', "batch.file.each", "no_number"),
        (UPLOAD, 'each = "{digits}"', 'each = "{secret:KEY}{digits}"', "batch.file.each", "bad_placeholder"),
        (UPLOAD, "{secret:EMAIL}", "{email}", "batch.file.form", "bad_placeholder"),
        (UPLOAD, 'header = "msisdn"', 'header = "a\\nb"', "batch.file.header", "bad_line"),
        (UPLOAD, "size = 100", 'size = 100\neach = "{e164}"', "batch.each", "each_of_file"),
        (UPLOAD, "[answer]", "body = '{numbers}'\nmethod = 'POST'\n[answer]", "batch.file", "file_or_body"),
        (UPLOAD, 'results = "download_url"', 'results = "a."', "batch.poll.results", "bad_path"),
        (LIST, "|sha256}", "|sha3}", "batch.each", "bad_pipe"),
        (LIST, "prefix:0400", "prefix", "batch.each", "pipe_argument"),
        (LIST, "|sha256}", "|sha256:1}", "batch.each", "pipe_no_argument"),
        (LIST, "|sha256}", "|unix}", "batch.each", "pipe_of_time"),
        (LIST, "{numbers}", "{numbers|sha256}", "request.body", "pipe_on_many"),
        (LIST, 'key = "@each"', 'key = "@each a."', "batch.key", "bad_item_key"),
        (LIST, 'each = "{digits|prefix:0400|sha256}"\n', "", "batch.key", "key_needs_each"),
        (LIST, '"aws4"', '"aws5"', "sign.method", "not_one_of"),
        (LIST, 'scope = "eu-west-1/execute-api"', 'scope = "eu"', "sign.scope", "bad_scope"),
        (LIST, ":{secret:ROBINSON_SECRET}", "/x", "sign.key", "bad_aws_key"),
        (LIST, 'into = "query"', 'into = "body"', "sign.into", "not_one_of"),
        (LIST, 'into = "query"', 'text = "x"', "sign.text", "not_for_method"),
        (LIST, '"aws4"', '"hmac-sha256"', "sign.text", "missing"),
        (LIST, "[sign]", '[sign]\nclaims = "{}"', "sign.claims", "not_for_method"),
        (LIST, "[request]", '[request]\ncertificate = "../x"', "request.certificate", "bad_certificate"),
        (LIST, "[request]", '[request]\ncertificate = "x"\nredirects = 1', "request.certificate", "certificate_redirects"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_key(text: str, old: str, new: str, key: str, code: str, tmp_path: Path) -> None:
    assert old in text
    assert (key, code) in [(one.key, one.code) for one in mistakes(tmp_path, text.replace(old, new, 1))]


@pytest.mark.parametrize(
    ("sign", "key", "code"),
    [
        ('method = "hmac-sha256"\nkey = "{secret:K}"\ntext = "{body}"\ninto = { X = "x" }', "sign.into", "no_signature"),
        ('method = "hmac-sha256"\ntext = "{body}"\ninto = { X = "{signature}" }', "sign.key", "missing"),
        ('method = "md5"\ntext = "{nobody}"\ninto = { X = "{signature}" }', "sign.text", "bad_placeholder"),
        ('method = "jwt-rs256"\nkey = "{secret:K}"\nclaims = "no"\n', "sign.claims", "bad_claims"),
        ('method = "jwt-rs256"\nkey = "{secret:K}"\nclaims = \'{"a": {now|unix}}\'\ninto = { "X Y" = "{signature}" }',
         "sign.into", "bad_header"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_signature_has_its_key(sign: str, key: str, code: str, tmp_path: Path) -> None:
    from tests.sources.recipes.test_loader import GOOD

    text = GOOD.replace("[limits]", f"[sign]\n{sign}\n[limits]")
    assert (key, code) in [(one.key, one.code) for one in mistakes(tmp_path, text)]

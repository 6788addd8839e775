"""Of an answer that signs in only the outline is kept: where its values are, and three letters of each."""

import json

import pytest

from portal.sources.editor.login_outline import outline_of, read, written
from portal.sources.http.response import SourceResponse

SECRET = "5a1b9c3d7e5f4a2b8c6d"


@pytest.mark.parametrize(
    "body",
    [
        f"{SECRET}:{SECRET}",  # a user and a password, say: nothing of it is a name
        f"<a><b>{SECRET}</b><c>{SECRET}</c></a>",
        f"<!doctype html><html><body><dl><dt>{SECRET}</dt><dd>{SECRET}</dd></dl></body></html>",
        f"{SECRET};{SECRET}\n{SECRET};{SECRET}\n",
        json.dumps({"a": [SECRET, SECRET], "b": {"c": SECRET * 40}}),
        json.dumps([[SECRET]]),
        f'{{"broken": "{SECRET}',
        f"a={SECRET}&b={SECRET}",
        f"1|{SECRET}|{SECRET}",
    ],
)
def test_nothing_of_a_value_is_kept_but_its_beginning(body: str) -> None:
    cookies = ({"name": "sid", "value": SECRET},)
    response = SourceResponse(200, {"X-Auth-Token": SECRET}, body.encode(), cookies=cookies)
    kept = written(outline_of(response))
    assert SECRET[:8].encode() not in kept
    found = read(kept)
    assert found is not None and found == outline_of(response) and found.sets_cookies


@pytest.mark.parametrize(
    "body", ["ERR: 001, Authentication failed", "error=invalid_client_id_1234", '{"error": "x1y2z3a4b5c6d7e8f9"}']
)
def test_an_error_is_no_token(body: str) -> None:
    assert outline_of(SourceResponse(200, {}, body.encode())).token is None


def test_a_hostile_answer_is_bounded() -> None:
    many = json.dumps({f"key{n}": SECRET for n in range(50_000)}).encode()
    assert len(outline_of(SourceResponse(200, {}, many)).rows) <= 200
    assert outline_of(SourceResponse(200, {}, b"\xff\xfe\x00")).token is None
    assert outline_of(SourceResponse(200, {}, b"")).rows == ()


@pytest.mark.parametrize("kept", [b"", b"[]", b"{}", b'{"rows": 3}', b'{"rows": [{"x": 1}]}', b"\xff"])
def test_what_is_no_outline_is_none(kept: bytes) -> None:
    assert read(kept) is None

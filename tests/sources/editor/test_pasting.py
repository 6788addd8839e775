# ruff: noqa: E501 - commands are as long as they are
"""A pasted command becomes a request with its number in braces and its secrets apart, or says what cannot be read."""

import pytest

from portal.sources.editor import pasting
from portal.sources.editor.drafted import mistakes_in, stops
from portal.sources.editor.pasted_request import NotRead
from portal.sources.recipes.loader import tomllib

JSON = "-H 'Content-Type: application/json'"
READ = {
    "bash": (
        f"curl -X POST 'https://api.example.com/v1' \\\n  -H 'Authorization: Bearer abc123' \\\n  {JSON} -d '{{\"to\": \"+34612345678\"}}'",
        {"url": "https://api.example.com/v1", "body": '{"to": "{e164}"}', "headers": {"Authorization": "Bearer {secret:EXAMPLE_TOKEN}"}},
        {"EXAMPLE_TOKEN": "abc123"},
    ),
    "cmd": (
        'curl ^"https://api.example.com/q?n=612345678^&x=%2520^" ^\n  -H ^"x-api-key: k-1234567^" ^\n  -H ^"sec-fetch-mode: cors^" ^\n  --data-raw ^"^{^\\^"a^\\^":1^}^"',
        {"url": "https://api.example.com/q?n={national}&x=%2520", "body": '{"a":1}', "headers": {"x-api-key": "{secret:EXAMPLE_API_KEY}"}},
        {"EXAMPLE_API_KEY": "k-1234567"},
    ),
    "basic and query": (
        "curl -sSL -u ana:s3cret -G https://hlr.example.com/q --data-urlencode 'msisdn=+34 612 345 678'",
        {"url": "https://hlr.example.com/q?msisdn={e164}", "headers": {"Authorization": "Basic {secret:EXAMPLE_USER|basic:EXAMPLE_PASSWORD}"}},
        {"EXAMPLE_USER": "ana", "EXAMPLE_PASSWORD": "s3cret"},
    ),
    "user in the address": (
        "curl https://ana:s3cret@example.com/0034612345678",
        {"url": "https://example.com/00{digits}"},
        {"EXAMPLE_USER": "ana", "EXAMPLE_PASSWORD": "s3cret"},
    ),
    "variables": (
        'curl "https://example.com/?number=14158586273&access_key=$KEY" -H "X-Token: <your token>" -b "sid=abc"',
        {"url": "https://example.com/?number={digits}&access_key={secret:EXAMPLE_ACCESS_KEY}"},
        {"EXAMPLE_ACCESS_KEY": "", "EXAMPLE_TOKEN": "", "EXAMPLE_COOKIE": "sid=abc"},
    ),
    "country code apart": (
        "curl 'https://example.com/?cc=34&msisdn=612345678'",
        {"url": "https://example.com/?cc={country_code}&msisdn={national}"},
        {},
    ),
    "template": ("curl https://example.com/v1/{phone_number}", {"url": "https://example.com/v1/{e164}"}, {}),
    "xml": (
        "curl https://example.com -H 'Content-Type: text/xml' -d '<q><clave>s3cret</clave><msisdn>34612345678</msisdn></q>'",
        {"body": "<q><clave>{secret:EXAMPLE_CLAVE}</clave><msisdn>{digits}</msisdn></q>"},
        {"EXAMPLE_CLAVE": "s3cret"},
    ),
    "batch": (f"curl https://example.com/b {JSON} -d '{{\"n\":[\"34612345678\",\"34612345679\"]}}'", {"body": '{"n":{numbers_json}}'}, {}),
    "braces of its own": (
        f"curl https://example.com/g {JSON} -d '{{\"query\":\"{{carrier(n:\\\"+34612345678\\\"){{name}}}}\"}}'",
        {"body": '{"query":"{carrier(n:\\"{e164}\\"){{name}}}"}'},
        {},
    ),
    "http": (  # as documentation without curl has it
        "POST /lookup HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer your.token\r\nAccept: application/json\r\n\r\n{\n\"to\": [\"33612345678\", \"33612345677\"]\n}",
        {"url": "https://api.example.com/lookup", "method": "POST", "body": '{\n"to": {numbers_json}\n}', "headers": {"Authorization": "Bearer {secret:EXAMPLE_TOKEN}", "Accept": "application/json"}},
        {"EXAMPLE_TOKEN": ""},
    ),
    "http without a host": (
        "GET https://api.example.com/hlr?n=34612345678&key=API_KEY",
        {"url": "https://api.example.com/hlr?n={digits}&key={secret:EXAMPLE_KEY}"},
        {"EXAMPLE_KEY": ""},
    ),
    "http without an empty line": (
        'POST /hlr HTTP/1.1\nHost: api.example.com\nX-Token: eB52vNTPL9fO3\n{ "msisdn": "34612345678" }',
        {"url": "https://api.example.com/hlr", "body": '{ "msisdn": "{digits}" }', "headers": {"X-Token": "{secret:EXAMPLE_TOKEN}"}},
        {"EXAMPLE_TOKEN": "eB52vNTPL9fO3"},
    ),
    "form": (  # as Postman writes it
        """curl --location --request POST 'https://example.com/q' --form 'client_id="{{client_id}}"' --form 'client_secret="{{client_secret}}"' --form 'n="+34612345678"' -F x='a b'""",
        {"url": "https://example.com/q", "body": "client_id={secret:EXAMPLE_CLIENT_ID}&client_secret={secret:EXAMPLE_CLIENT_SECRET}&n={e164}&x=a+b"},
        {"EXAMPLE_CLIENT_ID": "", "EXAMPLE_CLIENT_SECRET": ""},
    ),
    "address alone": ("https://example.com/telefono/612345678", {"url": "https://example.com/telefono/{national}"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", list(READ))
def test_a_command_becomes_a_request(name: str) -> None:
    command, request, secrets = READ[name]
    found = pasting.read(command, "ES")
    made = tomllib.loads(found.text)
    assert made["request"] | request == made["request"]
    assert found.secrets == secrets
    assert not any(value in found.text for value in secrets.values() if len(value) > 3)
    assert stops(mistakes_in(found.text)) == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("", "nothing"),
        ("wget https://x.com/34612345678", "no_curl"),
        ("Invoke-WebRequest -Uri https://x.com", "powershell"),
        ("fetch('https://x.com/34612345678')", "fetch"),
        ("curl 'https://x.com/34612345678", "open_quote"),
        ("curl https://x.com/34612345678 -H \"A: $(cat key)\"", "runs_command"),
        ("curl -H 'A: b'", "no_address"),
        ("curl file:///etc/passwd", "bad_address"),
        ("curl https://x.com/34612345678 https://y.com", "two_requests"),
        ("curl https://x.com/hello", "no_number"),
        ("curl https://x.com/34612345678 --frobnicate", "option"),
        ("curl https://x.com/34612345678 -H", "no_value"),
        ("curl https://x.com/34612345678 -H $'A: b\\r\\nHost: evil'", "broken_header"),
        ("curl https://x.com/34612345678 -d @numbers.json", "file_of_data"),
        ("curl https://x.com/34612345678 -F a=@numbers.csv", "upload"),
        ("curl https://x.com/34612345678 -F 'a=<key.txt'", "upload"),
        ("POST /lookup HTTP/1.1\nAccept: */*\n\n34612345678", "no_host"),
        ("DELETE /lookup/34612345678 HTTP/1.1\nHost: x.com", "method"),
        ("curl https://x.com/34612345678 --aws-sigv4 aws:amz:eu", "signed"),
        ("curl -X DELETE https://x.com/34612345678", "method"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(command: str, code: str) -> None:
    with pytest.raises(NotRead) as error:
        pasting.read(command, "ES")
    assert error.value.code == code


def test_a_person_can_say_which_part_is_the_number() -> None:
    found = pasting.read("curl https://x.com/t/999-55", "ES", number="999-55")
    assert "{national}" in found.text or "{digits}" in found.text

"""Lookup APIs at 127.0.0.1 as their documentation could describe them, one answer function for each: what the editor of
sources is walked with. Numbers that end in 7 are unknown, those that end in 9 wrong."""

import base64
import json
from collections.abc import Callable

from tests.support.provider import Answered, Asked

KEY, USER, PASSWORD = "k-3f9a81c2d7", "ana", "pa55-word"


def operator_api(asked: Asked) -> Answered:
    """GET with Basic and a query; its errors come with status 200."""
    wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if asked.headers.get("Authorization") != wanted:
        return Answered({"status": "error", "error": {"code": 101, "message": "Invalid credentials"}})
    number = asked.query.get("msisdn", "")
    if number.endswith("7"):
        return Answered({"status": "ok", "result": None})
    if number.endswith("9"):
        return Answered({"status": "error", "error": {"code": 120, "message": "Invalid number"}})
    carrier = {"name": "Movistar", "mccmnc": "21407"}
    return Answered({"status": "ok", "result": {"msisdn": number, "carrier": carrier, "ported": True}})


def bearer_api(asked: Asked) -> Answered:
    """POST of JSON with a bearer token, and honest statuses."""
    if asked.headers.get("Authorization") != f"Bearer {KEY}":
        return Answered({"message": "Unauthenticated."}, 401)
    number = asked.json.get("phone", "")
    if number.endswith("7"):
        return Answered({"message": "No data"}, 404)
    if number.endswith("9"):
        return Answered({"errors": {"phone": ["is not a phone number"]}}, 422)
    return Answered({"data": {"lineType": "mobile", "country": {"iso": "ES"}, "currentOperator": "Orange"}})


def xml_api(asked: Asked) -> Answered:
    """A SOAP-like service."""
    body = asked.body.decode()
    number = body.partition("<msisdn>")[2].partition("<")[0]
    inner = f"<operador codigo='21401'>Vodafone</operador><provincia>Madrid</provincia><msisdn>{number}</msisdn>"
    if f"<clave>{PASSWORD}</clave>" not in body:
        inner = "<fault><code>AUTH</code></fault>"
    elif number.endswith("7"):
        inner = "<sinDatos/>"
    elif number.endswith("9"):
        inner = "<fault><code>NUM</code></fault>"
    text = f'<s:Envelope xmlns:s="urn:s"><s:Body><r xmlns="urn:r">{inner}</r></s:Body></s:Envelope>'
    return Answered(text, type="text/xml; charset=utf-8")


def page_api(asked: Asked) -> Answered:
    """A web page with a script in it, as all have."""
    number = asked.path.rpartition("/")[2]
    if number.endswith("7"):
        body = "<p class='no-results'>No hay datos de este número</p>"
    else:
        body = (
            f"<h1>Teléfono {number}</h1><dl class='ficha'><dt>Operador</dt><dd>MásMóvil</dd>"
            "<dt>Tipo de línea</dt><dd>Móvil</dd><dt>Denuncias</dt><dd>3</dd></dl>"
        )
    page = f"<!doctype html><html><head><title>x</title><script>alert(1)</script></head><body>{body}</body></html>"
    return Answered(page, type="text/html; charset=utf-8")


def csv_api(asked: Asked) -> Answered:
    """A key in the address, and lines of CSV."""
    if asked.query.get("key") != KEY:
        return Answered("error;wrong key\n", 403, type="text/csv")
    number = asked.query.get("n", "")
    if number.endswith("7"):
        return Answered("numero;operador;portado\n", type="text/csv")
    return Answered(f"numero;operador;portado\n{number};Digi;si\n", type="text/csv")


def batch_api(asked: Asked) -> Answered:
    """Many numbers in one request; those that it does not know are left out."""
    sent = asked.json
    if sent.get("api_key") != KEY:
        return Answered({"error": "UNAUTHORIZED"}, 401)
    items = [
        {"msisdn": f"+{one['tel'].lstrip('+')}", "network": {"name": "Yoigo"}, "status": "DELIVERED"}
        for one in sent["requests"]
        if not one["tel"].endswith("7")
    ]
    return Answered({"results": items, "count": len(items)})


def credits_api(asked: Asked) -> Answered:
    """A list of numbers, of SMSFactor's shape: errors and all numbers come with status 200."""
    if asked.headers.get("Authorization") != f"Bearer {KEY}":
        return Answered({"status": -1, "message": "Authentication error"})
    items = []
    for number in asked.json["lookup"]["to"]:
        known = {"mccMnc": "21407", "originalNetwork": {"networkName": "Movistar"}, "ported": False}
        error = {"7": (1, "Unknown Subscriber"), "9": (4, "Invalid destination")}.get(number[-1], (0, "No Error"))
        status = {"name": "DELIVERED" if not error[0] else "UNDELIVERABLE"}
        told = {"status": status, "error": {"id": error[0], "description": error[1]}}
        items.append({"to": number, **({} if error[0] else known), **told})
    return Answered({"status": 1, "message": "OK", "cost": len(items), "response": {"lookup": items}})


APIS = {
    "credits": credits_api,
    "operator": operator_api,
    "bearer": bearer_api,
    "xml": xml_api,
    "page": page_api,
    "csv": csv_api,
    "batch": batch_api,
}
XML = "<consulta><usuario>ana</usuario><clave>pa55-word</clave><msisdn>34612345678</msisdn></consulta>"
CREDITS = json.dumps({"lookup": {"to": ["34612345678", "34612345670"]}}, indent=1)
BATCH = json.dumps({"api_key": KEY, "requests": [{"tel": "+34612345678"}, {"tel": "+34612345670"}]})


def command(name: str, url: str) -> str:
    """The command in the documentation of one of them."""
    return {
        "credits": f"POST {url}/lookup HTTP/1.1\nAuthorization: Bearer {KEY}\nAccept: application/json\n{CREDITS}",
        "operator": f"curl -u {USER}:{PASSWORD} '{url}/v1/hlr?msisdn=34612345678&format=json'",
        "bearer": f"""curl -X POST {url}/v2/lookups \\
  -H "Authorization: Bearer {KEY}" -H "Content-Type: application/json" \\
  -d '{{"phone": "+34 612 345 678"}}'""",
        "xml": f"curl {url}/soap -H 'Content-Type: text/xml' --data '{XML}'",
        "page": f"{url}/telefono/612345678",
        "csv": f'curl "{url}/api.csv?key={KEY}&n=34612345678" | column -t',
        "batch": f"curl -X POST {url}/batch -H 'Content-Type: application/json' -d '{BATCH}'",
    }[name]


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"


def token_api(asked: Asked) -> Answered:
    """A client signs in for a token that is valid for an hour, and asks with it."""
    if asked.path == "/oauth/token":
        if (asked.form.get("client_id"), asked.form.get("client_secret")) != (USER, KEY):
            return Answered({"error": "invalid_client"}, 401)
        return Answered({"data": {"token_type": "bearer", "jwt": TOKEN, "expires_in": 3600}})
    if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
        return Answered({"message": "no token"}, 401)
    return bearer_like(asked.query.get("msisdn", ""))


def bearer_like(number: str) -> Answered:
    if number.endswith("7"):
        return Answered({"message": "No data"}, 404)
    return Answered({"operator": "Lycamobile", "type": "mobile"})


def ticket_api(asked: Asked) -> Answered:
    """Accepts a list, gives a ticket, and answers at the second look."""
    if asked.path == "/bulk":
        numbers = [one["to"][::-1] for one in asked.json["items"]]  # it does not look like them
        return Answered({"bulkId": "-".join(["b77", *numbers]), "state": "accepted"})
    numbers = [one[::-1] for one in asked.path.removeprefix("/bulk/").split("-")[1:]]
    found = [{"to": one, "network": "Euskaltel"} for one in numbers if not one.endswith("7")]
    return Answered({"state": "done", "results": found})


def session_api(asked: Asked) -> Answered:
    """Wants a login, which answers as a form does, and says everything of a number with status 200."""
    if asked.path == "/login":
        right = (asked.form.get("user"), asked.form.get("password")) == (USER, PASSWORD)
        return Answered(f"access_token={TOKEN}&expires_in=3600", type=FORM) if right else Answered("error=login", 401)
    if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
        return Answered({"status": "error", "message": "session"})
    number = asked.query.get("msisdn", "")
    if number.endswith(("7", "9")):
        return Answered({"status": "unknown" if number.endswith("7") else "invalid"})
    return Answered({"status": "ok", "data": {"carrier": {"name": "Movistar"}, "ported": True, "number": number}})


FORM = "application/x-www-form-urlencoded"
SESSION = "5a1b9c3d7e5f4a2b8c6d0e1f2a3b+c5d"
LOGINS = {  # how a login may answer that is no JSON object
    "text": Answered(f"OK: {SESSION}\r\n", type="text/plain"),
    "line": Answered(f"OK {SESSION}", type="text/plain"),
    "parts": Answered(f"0|{SESSION}|3600", type="text/plain"),
    "form": Answered(
        f"token_type=bearer&access_token={SESSION.replace('+', '%2B')}&expires_in=3600",
        type="application/x-www-form-urlencoded",
    ),
    "xml": Answered(
        f"<?xml version='1.0'?><login><code>0</code><sessionId>{SESSION}</sessionId><ttl>7200</ttl></login>",
        type="text/xml",
    ),
    "header": Answered("", 201, [("X-Subject-Token", SESSION)]),
    "cookie": Answered({"ok": True}, 200, [("Set-Cookie", f"sid={SESSION}; Path=/; HttpOnly")]),
    "string": Answered(f'"{SESSION}"', type="application/json"),
}


def login_api(kind: str) -> Callable[[Asked], Answered]:
    """An API whose login answers so, and which wants what it gave as a session: a cookie, or a header."""

    def answer(asked: Asked) -> Answered:
        if asked.path == "/http/auth":
            if (asked.query.get("user"), asked.query.get("password")) != (USER, PASSWORD):
                return Answered("ERR: 001, Authentication failed", 401, type="text/plain")
            return LOGINS[kind]
        given = asked.headers.get("Cookie") if kind == "cookie" else asked.headers.get("Authorization")
        wanted = f"sid={SESSION}" if kind == "cookie" else f"Bearer {SESSION}"
        return bearer_like(asked.query.get("msisdn", "")) if given == wanted else Answered({"error": "session"}, 401)

    return answer

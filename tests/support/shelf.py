"""The providers of the shelf as their documentation says, at 127.0.0.1: one answer function for each, faults included.

Numbers that end in 7 are unknown, those that end in 9 refused. `spent` is what the provider charges, in billionths.
"""

import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from portal.sources.base import Outcome
from portal.sources.recipes.folder import SHELF
from portal.sources.recipes.loader import read_recipe
from portal.sources.recipes.model import Recipe
from tests.support.provider import Answered, Asked

KEY, SECRET = "the-key", "the-secret"
BASIC = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
SECRETS = {
    "TWILIO_KEY": KEY, "TWILIO_SECRET": SECRET, "VONAGE_KEY": KEY, "VONAGE_SECRET": SECRET, "INFOBIP_KEY": KEY,
    "HLRLOOKUP_KEY": KEY, "HLRLOOKUP_SECRET": SECRET, "HLRLOOKUPS_KEY": KEY, "HLRLOOKUPS_SECRET": SECRET,
    "ROBINSON_KEY": KEY, "ROBINSON_SECRET": SECRET, "NUMVERIFY_KEY": KEY, "MESSAGEBIRD_KEY": KEY, "TELNYX_KEY": KEY,
    "PLIVO_KEY": KEY, "PLIVO_SECRET": SECRET, "SINCH_PROJECT": "project", "SINCH_KEY": KEY, "SINCH_SECRET": SECRET,
    "TELESIGN_KEY": KEY, "TELESIGN_SECRET": SECRET, "TYNTEC_KEY": KEY, "ABSTRACT_KEY": KEY, "BIND_KEY": KEY,
    "BUDGETSMS_USER": "user", "BUDGETSMS_ID": "21547", "BUDGETSMS_HANDLE": KEY,
}  # fmt: skip
NAMES = tuple(sorted(path.stem for path in SHELF.glob("*.toml")))

NUMBERS = [f"+346123456{n:02d}" for n in range(50)]
NOT_FOUND = {"messagebird", "twilio", "hlr-lookups", "hlrlookup", "sinch", "tyntec", "bind"}  # that say so of a number
NO_REJECTED = {"lista-robinson", "tyntec"}
NO_CREDIT = (
    "abstract", "bind", "budgetsms", "hlr-lookups", "hlrlookup", "infobip", "messagebird", "numverify", "sinch",
    "vonage",
)  # fmt: skip


def outcomes_of(name: str) -> Counter[Outcome]:
    """What the fifty numbers come to at a provider."""
    return Counter(
        Outcome.NOT_FOUND if one.endswith("7") and name in NOT_FOUND
        else Outcome.REJECTED if one.endswith("9") and name not in NO_REJECTED
        else Outcome.FOUND
        for one in NUMBERS
    )  # fmt: skip


class Pausing:
    """A limiter that waits for nobody and notes what it was told."""

    def __init__(self) -> None:
        self.reports: list[str] = []

    def wait(self, stop: Any) -> None: ...

    def report(self, reason: str) -> None:
        self.reports.append(reason)

    def pause(self, seconds: float) -> None: ...


def recipe_at(name: str, url: str, folder: Path) -> Recipe:
    """The recipe of the shelf, sent to this address instead of the provider's."""
    text = (SHELF / f"{name}.toml").read_text()
    real = read_recipe(SHELF / f"{name}.toml").request.url
    parts = urlsplit(real)
    path = folder / f"{name}.toml"
    text = text.replace("interval = 2\n", "interval = 0.01\n").replace('"3/s"', '"1000/s"').partition("[[test]]")[0]
    path.write_text(text.replace(f"{parts.scheme}://{parts.netloc}", url))
    return read_recipe(path)


class ShelfFake:
    """One provider. `throttled`: of how many requests it says "too many"; `key_is_wrong`, `no_credit`, `down`: what it
    says to all."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.throttled = 0
        self.key_is_wrong = self.no_credit = self.down = False
        self.spent = 0
        self.answers: Counter[str] = Counter()  # answers that were given for each number, by its digits
        self._polls: Counter[str] = Counter()
        self._answer: Callable[[Asked], Answered] = getattr(self, f"_{name.replace('-', '_')}")

    def __call__(self, asked: Asked) -> Answered:
        if self.down:
            return Answered("<h1>503</h1>", 503)
        return self._answer(asked)

    def _throttles(self) -> bool:
        self.throttled -= 1
        return self.throttled >= 0

    def _charge(self, number: str, price: str) -> None:
        self.answers[number] += 1
        self.spent += int(Decimal(price) * 10**9)

    # ── one number a request ────────────────────────────────────────────────────────────────────────────────────────

    def _twilio(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.headers["Authorization"] != BASIC:
            return Answered({"code": 20003, "message": "Authenticate", "status": 401}, 401)
        if self._throttles():
            return Answered({"code": 20429, "message": "Too Many Requests"}, 429, [("Retry-After", "0")])
        number = asked.path.rpartition("/%2B")[2]
        assert asked.query == {"Fields": "line_type_intelligence"}
        self._charge(number, "0.008")
        valid, known = not number.endswith("9"), not number.endswith("7")
        package = {
            "carrier_name": "Movistar" if known else None, "type": "mobile" if known else None,
            "error_code": None if known else 60600, "mobile_country_code": "214", "mobile_network_code": "07",
        }  # fmt: skip
        return Answered(
            {"country_code": "ES" if valid else None, "phone_number": f"+{number}", "valid": valid,
             "line_type_intelligence": package if valid else None}
        )  # fmt: skip

    def _vonage(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.headers["Authorization"] != BASIC:
            return Answered({"status": 4, "status_message": "Invalid credentials"})
        if self.no_credit:
            return Answered({"status": 9, "status_message": "Partner quota exceeded"})
        if self._throttles():
            return Answered({"status": 1, "status_message": "Throttled"})
        number = asked.query["number"]
        if number.endswith("9"):
            return Answered({"status": 3, "status_message": "Invalid request"})
        self._charge(number, "0.00500000")
        return Answered(
            {"status": 0, "country_code": "ES", "request_price": "0.00500000", "remaining_balance": "20.39500000",
             "current_carrier": {"name": "Orange", "network_code": "21403", "network_type": "mobile"},
             "original_carrier": {"name": "Movistar"}, "ported": "ported"}
        )  # fmt: skip

    def _hlr_lookups(self, asked: Asked) -> Answered:
        sent = {name.lower(): value for name, value in asked.headers.items()}
        text = f"/hlr-lookup{sent['x-digest-timestamp']}POST{asked.body.decode()}"
        signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        if self.key_is_wrong or (sent["x-digest-key"], sent["x-digest-signature"]) != (KEY, signature):
            return Answered({"success": False, "errors": [{"code": 1000, "message": "Invalid digest signature"}]}, 401)
        if self.no_credit:
            return Answered({"errors": [{"message": "insufficient balance"}]}, 402)
        if self._throttles():
            return Answered({"errors": [{"message": "rate limit"}]}, 429, [("Retry-After", "0")])
        number = asked.json["msisdn"].lstrip("+")
        self._charge(number, "0.0100")
        status = {"7": "UNDETERMINED", "9": "INVALID_MSISDN"}.get(number[-1], "CONNECTED")
        return Answered(
            {"msisdn": f"+{number}", "connectivity_status": status, "mccmnc": "21403", "is_ported": True,
             "original_network_name": "Movistar", "ported_network_name": "Orange", "cost": "0.0100"}
        )  # fmt: skip

    def _numverify(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.query["access_key"] != KEY:
            return Answered({"success": False, "error": {"code": 101, "type": "invalid_access_key"}})
        if self.no_credit:
            return Answered({"success": False, "error": {"code": 104, "type": "usage_limit_reached"}})
        if self._throttles():
            return Answered({"success": False, "error": {"code": 106, "type": "rate_limit_reached"}})
        number = asked.query["number"]
        self._charge(number, "0")
        valid = not number.endswith("9")
        country = "ES" if valid else ""
        return Answered({"valid": valid, "country_code": country, "carrier": "Movistar", "line_type": "mobile"})

    def _telnyx(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.headers["Authorization"] != f"Bearer {KEY}":
            return Answered({"errors": [{"code": "10009", "title": "Authentication failed"}]}, 401)
        if self._throttles():
            return Answered({"errors": [{"code": "10011", "title": "Too many requests"}]}, 429, [("Retry-After", "0")])
        number = asked.path.rpartition("/%2B")[2]
        if number.endswith("9"):
            return Answered({"errors": [{"code": "10015", "title": "Bad Request"}]}, 422)
        self._charge(number, "0")
        carrier = {"name": "Movistar", "type": "mobile"}
        return Answered({"data": {"phone_number": f"+{number}", "country_code": "ES", "carrier": carrier}})

    def _messagebird(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.headers["Authorization"] != f"AccessKey {KEY}":
            return Answered({"errors": [{"code": 2, "description": "Request not allowed"}]}, 401)
        if asked.method == "POST":
            if self.no_credit:
                return Answered({"errors": [{"code": 25, "description": "Not enough balance"}]}, 402)
            if self._throttles():
                return Answered({"errors": [{"code": 98}]}, 429, [("Retry-After", "0")])
            number = str(asked.json["msisdn"])
            if number.endswith("9"):
                return Answered({"errors": [{"code": 10, "description": "msisdn is invalid"}]}, 422)
            self._charge(number, "0")
            return Answered({"id": f"id{number}", "msisdn": int(number), "status": "sent"}, 201)
        number = asked.path.rpartition("/id")[2]
        self._polls[number] += 1
        status = "sent" if self._polls[number] == 1 else "unknown" if number.endswith("7") else "active"
        return Answered({"id": f"id{number}", "msisdn": int(number), "network": 21403, "status": status})

    def _plivo(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.headers["Authorization"] != BASIC:
            return Answered("Could not verify your access level for that URL.", 401)
        if self._throttles():
            return Answered({"error_code": 429, "message": "Rate limit exceeded"}, 429, [("Retry-After", "0")])
        number = asked.path.rpartition("/%2B")[2]
        assert asked.query == {"type": "carrier"}
        if number.endswith("9"):
            return Answered({"api_id": "x", "error_code": 404, "message": "The phone number is not valid"}, 404)
        self._charge(number, "0.004")
        carrier = {"name": "Movistar", "type": "mobile", "ported": "unknown", "mobile_country_code": "214",
                   "mobile_network_code": "07"}  # fmt: skip
        return Answered({"phone_number": f"+{number}", "country": {"iso2": "ES"}, "carrier": carrier})

    def _sinch(self, asked: Asked) -> Answered:
        assert asked.path == "/v2/projects/project/lookups" or self.key_is_wrong or BASIC not in asked.headers.values()
        if self.key_is_wrong or asked.headers["Authorization"] != BASIC:
            return Answered({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, 401)
        if self.no_credit:
            return Answered({"error": {"code": 402, "message": "You have reached 0 balance"}}, 402)
        if self._throttles():
            return Answered({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, 429, [("Retry-After", "0")])
        number = asked.json["number"].lstrip("+")
        if number.endswith("9"):
            return Answered({"error": {"code": 400, "status": "INVALID_ARGUMENT"}}, 400)
        self._charge(number, "0")
        line = {"error": {"status": 100}} if number.endswith("7") else {"carrier": "Movistar", "type": "Mobile"}
        return Answered({"line": line, "countryCode": "ES", "number": f"+{number}"})

    def _telesign(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.headers["Authorization"] != BASIC:
            return Answered({"status": {"code": 501}, "errors": [{"code": -30006}]}, 401)
        if self._throttles():
            return Answered({"status": {"code": 501}, "errors": [{"code": -40007}]}, 429, [("Retry-After", "0")])
        number = asked.path.rpartition("/")[2]
        self._charge(number, "0")
        kind = (
            {"code": "8", "description": "INVALID"} if number.endswith("9") else {"code": "2", "description": "MOBILE"}
        )
        return Answered({"status": {"code": 300}, "phone_type": kind, "carrier": {"name": "Movistar"}, "errors": []})

    def _tyntec(self, asked: Asked) -> Answered:
        if self.key_is_wrong or {name.lower(): value for name, value in asked.headers.items()}["apikey"] != KEY:
            return Answered({"title": "Unauthorized", "status": 401}, 401)
        if self._throttles():
            return Answered({"title": "Too many requests", "status": 429}, 429, [("Retry-After", "0")])
        number = asked.query["msisdn"].lstrip("+")
        if number.endswith("7"):
            self._charge(number, "0")
            return Answered({"msisdn": f"+{number}", "ported": "unknown", "errorCode": "ffff", "synchronous": True})
        self._charge(number, "0.001")
        return Answered(
            {"msisdn": f"+{number}", "mcc": "214", "mnc": "07", "operator": " Movistar", "country": "ESP",
             "technology": "GSM", "ported": "false", "price": 0.001, "currency": "EUR", "errorCode": "0"}
        )  # fmt: skip

    def _abstract(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.query["api_key"] != KEY:
            return Answered({"error": {"message": "Invalid API key provided.", "code": "unauthorized"}}, 401)
        if self.no_credit:
            return Answered({"error": {"message": "API quota reached", "code": "quota_reached"}}, 422)
        if self._throttles():
            return Answered({"error": {"message": "Too many requests", "code": "too_many_requests"}}, 429)
        number = asked.query["phone"]
        self._charge(number, "0")
        if number.endswith("9"):
            return Answered({"phone": number, "valid": False, "carrier": "", "line_type": "", "country_code": ""})
        return Answered(
            {"phone": number, "valid": True, "carrier": "Movistar", "line_type": "Mobile", "country_code": "ES"}
        )

    def _budgetsms(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.query["handle"] != KEY:
            return Answered("ERR 1002", type="text/plain")
        if self.no_credit:
            return Answered("ERR 1001", type="text/plain")
        if self._throttles():
            return Answered("Too Many Requests", 429, [("Retry-After", "0")], type="text/plain")
        number = asked.query["to"]
        if number.endswith("9"):
            return Answered("ERR 3001", type="text/plain")
        self._charge(number, "0")
        return Answered("OK 214 07 0.0450", type="text/plain")

    # ── many numbers ────────────────────────────────────────────────────────────────────────────────────────────────

    def _infobip(self, asked: Asked) -> Answered:
        if self.key_is_wrong or asked.headers["Authorization"] != f"App {KEY}":
            return Answered({"requestError": {"serviceException": {"messageId": "UNAUTHORIZED"}}}, 401)
        if self._throttles():
            return Answered({"requestError": {"serviceException": {"messageId": "TOO_MANY_REQUESTS"}}}, 429,
                            [("Retry-After", "0")])  # fmt: skip
        return Answered({"results": [self._infobip_item(number) for number in asked.json["to"]]})

    def _infobip_item(self, number: str) -> dict[str, Any]:
        if self.no_credit:
            return {"to": number, "status": {"groupName": "REJECTED", "name": "REJECTED_NOT_ENOUGH_CREDITS"}}
        self._charge(number, "0")
        if number.endswith("9"):
            return {"to": number, "status": {"groupName": "REJECTED", "name": "REJECTED_PREFIX_MISSING"}}
        return {
            "to": number, "mccMnc": "21403", "ported": True, "roaming": False, "status": {"groupName": "DELIVERED"},
            "originalNetwork": {"networkName": "Movistar"}, "portedNetwork": {"networkName": "Orange"},
            "error": {"name": "NO_ERROR", "permanent": False},
        }  # fmt: skip

    def _hlrlookup(self, asked: Asked) -> Answered:
        sent = asked.json
        if self.key_is_wrong or (sent["api_key"], sent["api_secret"]) != (KEY, SECRET):
            return Answered({"error": "UNAUTHORIZED", "message": "Invalid api_key or api_secret"}, 401)
        if self._throttles():
            return Answered({"error": "TOO_MANY_REQUESTS", "message": "Please try again later"}, 429)
        items = []
        for one in sent["requests"]:
            number = one["telephone_number"].lstrip("+")
            item = {"request_parameters": {"telephone_number": one["telephone_number"]}, "credits_spent": 0}
            if self.no_credit:
                item |= {"error": "INSUFFICIENT_CREDIT"}
            elif number.endswith(("7", "9")):
                self._charge(number, "0")
                item |= {"error": "NONE", "live_status": "NO_COVERAGE" if number.endswith("7") else "NOT_APPLICABLE"}
            else:
                self._charge(number, "1")
                item |= {
                    "error": "NONE", "live_status": "LIVE", "credits_spent": 1, "is_ported": "YES",
                    "current_network_details": {"name": "Orange", "mccmnc": "21403"},
                }  # fmt: skip
            items.append(item)
        return Answered({"body": {"results": items}})

    def _bind(self, asked: Asked) -> Answered:
        if self.key_is_wrong or {name.lower(): value for name, value in asked.headers.items()}["x-api-key"] != KEY:
            return Answered({"message": "Unauthorized"}, 401)
        numbers = asked.json["msisdn"]
        if self.no_credit or self._throttles():
            return Answered([{"msisdn": one, "response": 3 if self.no_credit else 4} for one in numbers])
        items = []
        for one in numbers:
            done = not one.endswith(("7", "9"))
            self._charge(one, "0.0006" if done else "0")
            item = {"msisdn": one, "response": 6 if one.endswith("7") else 5 if one.endswith("9") else 0}
            if done:
                network = {"networkName": "Movistar", "countryPrefix": "34"}
                item |= {"mcc": "214", "mnc": "07", "ported": False, "price": 0.0006, "originalNetwork": network}
            items.append(item)
        return Answered(items)

    def _lista_robinson(self, asked: Asked) -> Answered:
        if self.key_is_wrong or not asked.query["X-Amz-Credential"].startswith(f"{KEY}/"):
            return Answered({"message": "The security token included in the request is invalid."}, 403)
        if self._throttles():
            return Answered({"message": "Too Many Requests"}, 429, [("Retry-After", "0")])
        digests = asked.body.decode().split(",")
        assert len(digests) <= 60 and all(len(one) == 64 for one in digests)
        for one in digests:
            self._charge(one, "0")
        return Answered(json.loads(json.dumps({one: {"found": int(one[0], 16) % 2 == 0} for one in digests})))

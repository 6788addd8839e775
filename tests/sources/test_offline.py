"""The offline source, compared with libphonenumber's own calls one after the other."""

import random
import subprocess
import sys
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType, carrier, geocoder, timezone

from portal import sources
from portal.config import ROOT
from portal.phone.spanish_plan import range_of
from portal.sources.base import Answer, Outcome
from portal.sources.offline import OfflineSource
from portal.sources.offline_facts import LINE_TYPES

FIXED = (PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def fields_for(e164: str) -> dict[str, str]:
    answer = OfflineSource().lookup(e164)
    assert answer.outcome == Outcome.FOUND
    return dict(answer.fields)


def one_after_the_other(e164: str) -> dict[str, str] | None:
    """The result of the public calls, one after the other and without shortcuts."""
    number = phonenumbers.parse(e164, None)
    if not phonenumbers.is_valid_number(number):
        return None
    kind = phonenumbers.number_type(number)
    place = geocoder.description_for_number(number, "es") if kind in FIXED else ""
    zones = [zone for zone in timezone.time_zones_for_number(number) if zone != "Etc/Unknown"]
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    fields = {
        "e164": phonenumbers.format_number(number, PhoneNumberFormat.E164),
        "national": "".join(character for character in national if character.isdigit()),
        "line_type": LINE_TYPES[PhoneNumberType.to_string(kind).lower()],
        "country": phonenumbers.region_code_for_number(number) or "",
        "province": "" if place == geocoder.country_name_for_number(number, "es") else place,
        "original_operator": carrier.name_for_number(number, "es"),
        "time_zone": " / ".join(zones),
    }
    return {name: value for name, value in fields.items() if value}


def examples() -> list[str]:
    """One number of each line type of each country, and neighbours of each."""
    draw = random.Random(20260505)
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in range(11):
            number = phonenumbers.example_number_for_type(region, kind)
            if number:
                e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
                found += [e164, e164[:-4] + f"{draw.randrange(10_000):04d}", e164[:-1]]
    for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS:
        number = phonenumbers.example_number_for_non_geo_entity(code)
        found.append(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    return found


def test_it_agrees_with_libphonenumber_for_every_line_type() -> None:
    source = OfflineSource()
    asked = examples()
    kinds = set()
    for e164 in asked:
        if e164.startswith("+34") and range_of(e164[3:]):
            continue  # what it says instead, the next test knows
        answer, expected = source.lookup(e164), one_after_the_other(e164)
        if expected is None:
            assert (answer.outcome, answer.fields) == (Outcome.INVALID, {}), e164
        else:
            assert (answer.outcome, dict(answer.fields)) == (Outcome.FOUND, expected), e164
            kinds.add(expected["line_type"])
    assert len(asked) > 3000
    assert kinds == set(LINE_TYPES.values())


@pytest.mark.parametrize(
    ("national", "line_type"),
    [("905123456", "premium"), ("907123456", "premium"), ("908123456", "internet_access"), ("511234567", "voip"),
     ("909123456", "internet_access"), ("5901234567890", "m2m"), ("400123456", "commercial")],
)  # fmt: skip
def test_the_spanish_plan_has_what_libphonenumber_lacks(national: str, line_type: str) -> None:
    fields = fields_for("+34" + national)
    assert (fields["line_type"], fields["country"], fields["national"]) == (line_type, "ES", national)
    assert "province" not in fields


def test_a_spanish_mobile_has_an_operator_and_two_time_zones() -> None:
    assert fields_for("+34609123456") == {
        "e164": "+34609123456",
        "national": "609123456",
        "line_type": "mobile",
        "country": "ES",
        "original_operator": "Movistar",
        "time_zone": "Atlantic/Canary / Europe/Madrid",
    }


def test_a_landline_has_a_province_and_no_operator() -> None:
    fields = fields_for("+34912345678")
    assert (fields["line_type"], fields["province"], fields["time_zone"]) == ("fixed", "Madrid", "Europe/Madrid")
    assert "original_operator" not in fields


def test_the_province_is_never_just_the_country() -> None:
    assert fields_for("+35314567890")["province"] == "Dublin"
    assert fields_for("+37052123456").get("province") != "Lituania"
    assert "province" not in fields_for("+35226123456")  # Luxembourg, of which the tables know no part


@pytest.mark.parametrize(
    ("e164", "reason"),
    [
        ("+34312345678", "unknown_range"),  # the right length, but no such range was given out
        ("+34612", "too_short"),
        ("+346123456789", "too_long"),
        ("+999123456789", "unknown_country"),
        ("rubbish", "not_a_number"),
        ("", "not_a_number"),
    ],
)
def test_an_invalid_number_says_why(e164: str, reason: str) -> None:
    assert OfflineSource().lookup(e164) == Answer(Outcome.INVALID, reason=reason)


def test_the_field_is_never_named_just_operator() -> None:
    assert "original_operator" in sources.fields_of("offline")
    assert not {"operator", "carrier"} & set(sources.fields_of("offline"))


def test_the_data_version_is_that_of_the_tables() -> None:
    assert phonenumbers.__version__ in sources.data_version("offline")


IN_A_WEB_PROCESS = """
import gc, sys
from portal import create_app, sources
from portal.sources import words
assert sources.fields_of("offline") and sources.data_version("offline") and sources.seconds_for("offline", 5000) > 0
assert sources.names() and sources.facts_of("offline").concurrency == 1 and words.FIELDS
create_app()
assert gc.get_freeze_count() > 100_000 and gc.isenabled(), "what lives as long as the process is no garbage"
assert not {"alembic", "mako", "portal.cli.doctor"} & {*sys.modules}, "only a command needs them"
print(",".join(name for name in ("geocoder", "carrier", "timezone") if "phonenumbers." + name in sys.modules))
sources.warm()
print(",".join(name for name in ("geocoder", "carrier", "timezone") if "phonenumbers." + name in sys.modules))
"""


def test_a_web_process_never_loads_the_tables_nor_the_commands(tmp_path: Path) -> None:
    environ = {"PORTAL_DATA_DIR": str(tmp_path), "PATH": ""}
    program = [sys.executable, "-c", IN_A_WEB_PROCESS]
    done = subprocess.run(program, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["", "geocoder,carrier,timezone"]

"""A cell's text is a number, or there is a reason why it is not."""

import subprocess
import sys
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    PhoneNumber,
    PhoneNumberType,
    country_code_for_region,
    example_number,
    national_significant_number,
    number_type,
)

from portal.phone import Reason, countries, parse
from portal.phone.number_tables import is_given_out
from portal.phone.plain_reading import by_library, plain, plain_abroad

MOBILE = "+34612345678"


@pytest.mark.parametrize(
    "text",
    [
        "612345678",
        "612 34 56 78",
        "612.345.678",
        "612-345-678",
        "(612) 345 678",
        " 612345678 ",
        "+34 612 345 678",
        "+34612345678",
        "0034612345678",
        "00 34 612 34 56 78",
        "34612345678",
        "'612345678",
        "’0034 612345678",
        "tel:+34612345678",
        "Tel. 612345678",
        "Móvil: 612 345 678",
        "６１２３４５６７８",
        "\u202a+34\u00a0612\u00a0345\u00a0678\u202c",
        "612345678 ext. 12",
        "612345678 x12",
        "612345678.0",
        "612345678,00",
        "6.12345678E+08",
        "6,12345678E8",
    ],
)
def test_every_spelling_of_a_spanish_mobile(text: str) -> None:
    phone = parse(text, "ES")
    assert (phone.e164, phone.reason, phone.country_code, phone.national) == (MOBILE, None, 34, "612345678")


@pytest.mark.parametrize(
    ("text", "country", "e164", "national"),
    [
        ("0033 6 12 34 56 78", "ES", "+33612345678", "0612345678"),
        ("50 € 612345678", "ES", MOBILE, "612345678"),  # the sign belongs to the 50
        ("06 12 34 56 78", "FR", "+33612345678", "0612345678"),
        ("0034 612345678", "US", MOBILE, "612345678"),  # the United States dial 011
        ("02 1234 5678", "IT", "+390212345678", "0212345678"),
        ("(212) 555-2368", "US", "+12125552368", "2125552368"),
        ("900 123 456", "ES", "+34900123456", "900123456"),
    ],
)
def test_other_types_and_countries(text: str, country: str, e164: str, national: str) -> None:
    phone = parse(text, country)
    assert (phone.e164, phone.national) == (e164, national)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.BLANK),
        ("  \t\u00a0", Reason.BLANK),
        ("'", Reason.BLANK),
        ("\ufeff", Reason.BLANK),
        ("sin teléfono", Reason.NOT_A_NUMBER),
        ("-", Reason.NOT_A_NUMBER),
        ("2026-01-31", Reason.DATE),
        ("31/01/2026", Reason.DATE),
        ("x" * 300, Reason.LONG_TEXT),
        ("612" * 100, Reason.TOO_LONG),
        ("12", Reason.TOO_SHORT),
        ("112", Reason.SHORT_NUMBER),
        ("12345678", Reason.TOO_SHORT),
        ("+34 61234567", Reason.TOO_SHORT),
        ("6123456789012", Reason.TOO_LONG),
        ("+34 6123456781", Reason.TOO_LONG),
        ("012345678", Reason.UNKNOWN_RANGE),
        ("200000000", Reason.UNKNOWN_RANGE),
        ("+999 612345678", Reason.UNKNOWN_COUNTRY),
        ("00999612345678", Reason.UNKNOWN_COUNTRY),
        ("6000000.00", Reason.AMOUNT),
        ("6000000,0", Reason.TOO_SHORT),
        ("6,12E+08", Reason.EXCEL_DAMAGED),
        ("4.41E+11", Reason.EXCEL_DAMAGED),
        ("3.46E+10", Reason.EXCEL_DAMAGED),
        ("6E+08", Reason.EXCEL_DAMAGED),
        ("612345678 / 698765432", Reason.SEVERAL_NUMBERS),
        ("612345678; 698765432", Reason.SEVERAL_NUMBERS),
        ("612345678\n698765432", Reason.SEVERAL_NUMBERS),
    ],
)
def test_invalid_texts_have_a_reason(text: str, reason: Reason) -> None:
    phone = parse(text, "ES")
    assert (phone.e164, phone.national, phone.reason) == (None, None, reason)


@pytest.mark.parametrize("country", ["NO", "DK", "DE", "US"])
def test_a_date_is_never_a_number(country: str) -> None:
    assert parse("31/01/2026", country).reason is Reason.DATE
    assert parse("2026-01-31 10:00:00", country).reason is Reason.DATE


def test_an_unknown_country_does_not_raise() -> None:
    assert parse("612345678", "XX").reason is Reason.UNKNOWN_COUNTRY
    assert parse("+34612345678", "XX").e164 == MOBILE


def test_countries_have_two_letters() -> None:
    assert "ES" in countries()
    assert len(countries()) > 200
    assert all(len(code) == 2 and code.isupper() for code in countries())


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.text(), st.text(alphabet="0123456789+()-./ eE,;xX'"), st.integers().map(str)),
       country=st.sampled_from(("ES", "US", "IT", "BR", "XX", "")))  # fmt: skip
def test_parse_never_raises(text: str, country: str) -> None:
    phone = parse(text, country)
    assert (phone.e164 is None) == (phone.reason is not None)
    if phone.e164 is not None:
        assert phone.e164.startswith("+")
        assert parse(phone.e164, "").e164 == phone.e164


def test_a_plus_before_a_number_without_its_countrys_code() -> None:
    assert parse("+954638435", "ES").offered == ("+954638435", "+34954638435")  # Myanmar, or Sevilla
    assert parse("+95 4638435", "ES").e164 == parse("0095 4638435", "ES").e164 == "+954638435"
    assert parse("+34 954638435", "ES").e164 == "+34954638435"


@pytest.mark.parametrize(
    ("text", "country", "offered"),
    [
        ("911234567/68", "ES", ("+34911234567", "+34911234568")),
        ("(91) 123 45 67 / 68", "ES", ("+34911234567", "+34911234568")),
        ("030 1234567/68", "DE", ("+49301234567", "+49301234568")),
        ("0171 1234567 030 1234567", "DE", ("+491711234567", "+49301234567")),
        ("600123123; 447911123456", "ES", ("+34600123123", "+447911123456")),
    ],
)
def test_two_numbers_are_never_one(text: str, country: str, offered: tuple[str, ...]) -> None:
    phone = parse(text, country)
    assert (phone.reason, phone.offered) == (Reason.SEVERAL_NUMBERS, offered)


def test_digits_of_a_text_before_a_number_do_not_join_it() -> None:
    assert parse("C/ Mayor 5, 030 1234567", "DE").e164 == "+49301234567"
    assert "+49301234567" in parse("Piso 3 030 1234567", "DE").offered
    assert parse("030-1234567 Herr 12", "DE").e164 == "+49301234567"


def test_zeros_before_a_range_of_the_spanish_plan_do_not_make_a_number() -> None:
    assert parse("0009 0506 2535", "ES").e164 is None
    assert parse("+34 000905062535", "ES").e164 in (None, "+34905062535")


@pytest.mark.parametrize(
    "text",
    ["612 " * 40, "1-2 " * 49, " ".join("1234567890" * 6)[:119], "6" * 200, "x 6" * 66, "+34 612 " * 24, "1/" * 100],
)
def test_a_crafted_text_is_parsed_in_about_the_time_of_some_numbers(text: str) -> None:
    def seconds(what: str) -> float:
        begun = time.process_time()
        for _ in range(20):
            parse(what, "DE")
        return time.process_time() - begun

    few = min(seconds("Tel. 030 1234567 / 0171 1234567 (Ana)") for _ in range(3))
    assert min(seconds(text) for _ in range(3)) < 20 * few


def test_a_text_longer_than_what_is_kept_of_a_cell_is_not_parsed() -> None:
    assert parse("+1-1" * 60, "ES").reason is Reason.LONG_TEXT
    assert parse("+34 612 34 56 78 " + "- " * 100, "ES").reason is Reason.LONG_TEXT
    assert parse("Tel. +34 (612) 34 56 78, extensión 1234", "ES").e164 == "+34612345678"


def test_the_heavy_data_is_not_loaded() -> None:
    code = (
        "import sys, types; p = types.ModuleType('portal'); p.__path__ = ['portal']; sys.modules['portal'] = p\n"
        "import portal.phone, portal.documents.check, portal.documents.reader.parent\n"
        "loaded = set(sys.modules)\n"
        "print([m for m in ('phonenumbers.geocoder', 'phonenumbers.carrier', 'phonenumbers.timezone', 'flask',"
        " 'python_calamine', 'sqlalchemy') if m in loaded])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "country", "numbers"),
    [
        ("611222333 611222334", "ES", ("+34611222333", "+34611222334")),
        ("611222333-911222334", "ES", ("+34611222333", "+34911222334")),
        ("Fijo 911222334, móvil 611222333", "ES", ("+34911222334", "+34611222333")),
        ("611222333 / 911222334 / 611222333", "ES", ("+34611222333", "+34911222334")),
        ("030/1234567 - 0171/1234567", "DE", ("+49301234567", "+491711234567")),
        ("611222333; +351912345678", "ES", ()),  # the first may be Portuguese too
        ("0034 611222333; +351912345678", "ES", ("+34611222333", "+351912345678")),
        ("Portugal: 912345678 / 913456789", "ES", ()),
        ("España: 912345678 / 913456789", "ES", ("+34912345678", "+34913456789")),
        ("911222334/35", "ES", ()),
        ("030 2345678 / 2345679", "DE", ()),  # the second may be of Berlin too
        ("030 2345678, 2345679", "DE", ()),
        ("06 4123456 / 347 1234567", "IT", ("+39064123456", "+393471234567")),
        ("611222333 / 61122233", "ES", ()),
        ("611222333911222334", "ES", ()),
        ("2012 3456 7890 1234", "DK", ()),  # as a card is written
        ("20123456 / 78901234", "DK", ("+4520123456", "+4578901234")),
    ],
)
def test_several_numbers_that_are_certain(text: str, country: str, numbers: tuple[str, ...]) -> None:
    phone = parse(text, country)
    assert (phone.e164, phone.numbers) == (None, numbers)
    assert set(numbers) <= set(phone.offered)


@pytest.mark.parametrize(
    ("country", "number", "texts"),
    [
        (
            "ES", "+34612345678",
            "Ped. {} | nº cliente {} | Socio {} | cod cliente: {} | Ref.catastral {} | contrato luz {} | D.N.I. {} | "
            "#{} | A-{} | {}-A | {}/B | Importe {} | Total: {} | Saldo {}",
        ),
        ("PT", "+351212345678", "Contribuinte {} | cartão cidadão {} | nº sócio {} | fatura {} | utente {}"),
        ("FR", "+33612345678", "n° client {} | dossier {} | commande n°{} | cde {} | facture {} | prix {}"),
        ("IT", "+390612345678", "P. IVA {} | partita iva {} | C.F. {} | fattura n. {} | pratica {} | tessera {}"),
        ("MX", "+525512345678", "folio {} | guía {} | no. empleado {} | cuenta {} | monto {}"),
        ("AR", "+541141234567", "legajo {} | CUIT {} | socio nº {} | expediente {}"),
    ],
)  # fmt: skip
def test_what_a_word_calls_something_else_is_only_offered(country: str, number: str, texts: str) -> None:
    digits = parse(number, country).national or ""
    for text in texts.split(" | "):
        phone = parse(text.format(digits), country)
        assert (phone.e164, phone.numbers, phone.offered) == (None, (), (number,)), text
        assert phone.reason in (Reason.IDENTIFIER, Reason.AMOUNT), text


@pytest.mark.parametrize("text", ["{} 2ºB", "{} - 3ª", "{} 9-14h", "{} (de 9 a 14 h)", "{} 17h", "{} 9h-12h", "1º {}"])
def test_floors_and_hours_are_left_aside(text: str) -> None:
    assert parse(text.format("612 34 56 78"), "ES").e164 == "+34612345678"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("912345678 y 79", ("+34912345678", "+34912345679")),
        ("912345678 al 80", ("+34912345678", "+34912345680")),
        ("612345678912345678", ("+34612345678", "+34912345678")),
    ],
)
def test_two_numbers_that_are_not_written_out_are_offered(text: str, numbers: tuple[str, ...]) -> None:
    phone = parse(text, "ES")
    assert (phone.reason, phone.offered, phone.numbers) == (Reason.SEVERAL_NUMBERS, numbers, ())


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [("00612345678", "ES", MOBILE), ("000912345678", "PT", "+351912345678"), ("€ 612345678", "ES", MOBILE)],
)
def test_a_number_with_too_much_before_it_is_offered(text: str, country: str, number: str) -> None:
    phone = parse(text, country)
    assert (phone.e164, phone.offered) == (None, (number,))


def test_validity_is_that_of_libphonenumber() -> None:
    random = Random(1)
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        for _ in range(12):
            example = example_number(random.choice(regions))
            digits = list(national_significant_number(example) if example else "1234567")
            digits[random.randrange(1, len(digits))] = random.choice("0123456789")
            number = PhoneNumber(code, int("".join(digits)), italian_leading_zero=digits[0] == "0" or None)
            national = national_significant_number(number)
            assert is_given_out(code, national) == (number_type(number) != PhoneNumberType.UNKNOWN), (code, national)


def test_digits_are_read_as_libphonenumber_reads_them() -> None:
    random = Random(2)
    for country in (*countries(), *countries()):
        example = example_number(random.choice((country, "ES", "DE", "BR")))
        digits = list(national_significant_number(example) if example else "1234567")
        digits[random.randrange(1, len(digits))] = random.choice("0123456789")
        for prefix in ("", "0", "00", "011", str(country_code_for_region(country)), "44", "1"):
            text = prefix + "".join(digits)[: random.choice((4, 20, 20))]
            assert plain(text, country) == by_library(text, country), (text, country)
            assert plain_abroad(text) == by_library("+" + text, None), text

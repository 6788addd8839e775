"""The countries that the check page offers, in the reader's language."""

from portal.phone import countries
from portal.web.words.countries import country_options


def names(options: list[tuple[str, str]]) -> list[str]:
    return [name for _, name in options]


def test_frequent_countries_come_first_and_once() -> None:
    top, rest = country_options("es", ["MX", "ES", "MX", "nowhere"])
    assert names(top) == ["México (+52)", "España (+34)"]
    assert not {"MX", "ES"} & {code for code, _ in rest}
    assert len(top) + len(rest) == len(countries())


def test_other_countries_are_sorted_without_accents() -> None:
    spanish, english = names(country_options("es", [])[1]), names(country_options("en", [])[1])
    assert spanish.index("Eslovenia (+386)") < spanish.index("España (+34)") < spanish.index("Estados Unidos (+1)")
    assert english.index("Åland Islands (+358)") < english.index("Albania (+355)")
    assert "Spain (+34)" in english

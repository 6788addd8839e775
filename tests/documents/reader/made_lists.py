"""Made lists of people with telephone numbers, as offices have them, and what a person would say of each.

The truth is known by construction: headings, numbers and rivals are written here by hand, and not taken from the
tables of the guess. Everything comes from one seed.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

# National numbers by hand: (beginning, digits that follow), and how people group them.
MOBILES = {
    "ES": [("6", 8), ("72", 7)], "PT": [("91", 7), ("93", 7), ("96", 7)], "FR": [("06", 8), ("076", 7)],
    "IT": [("333", 7), ("347", 7), ("328", 7)], "DE": [("0151", 8), ("0171", 7), ("0160", 7)],
    "GB": [("07400", 6), ("07911", 6), ("07712", 6)], "MX": [("55", 8), ("33", 8), ("81", 8)],
    "BR": [("1199", 7), ("2198", 7)],
}  # fmt: skip
LANDLINES = {
    "ES": [("91", 7), ("93", 7), ("952", 6)], "PT": [("21", 7), ("22", 7)], "FR": [("01", 8), ("04", 8)],
    "IT": [("02", 8), ("06", 8)], "DE": [("030", 8), ("089", 8)], "GB": [("02079", 6), ("01619", 6)],
    "MX": [("55", 8), ("33", 8)], "BR": [("1133", 6), ("2133", 6)],
}  # fmt: skip
CODES = {"ES": "34", "PT": "351", "FR": "33", "IT": "39", "DE": "49", "GB": "44", "MX": "52", "BR": "55"}
NAMES = {
    "ES": ["España", "ESPAÑA", "Spain", "ES"], "PT": ["Portugal", "PT"], "FR": ["Francia", "France", "FR"],
    "IT": ["Italia", "Italy", "IT"], "DE": ["Alemania", "Germany", "DE"], "GB": ["Reino Unido", "UK"],
    "MX": ["México", "Mexico"], "BR": ["Brasil", "BR"],
}  # fmt: skip
LANGUAGE = {"ES": "es", "MX": "es", "PT": "pt", "BR": "pt", "FR": "fr", "IT": "it", "DE": "de", "GB": "en"}

MOBILE_HEADS = {
    "es": ["Móvil", "MOVIL", "Teléfono móvil", "Tel. móvil", "TelMovil", "Cel.", "Celular", "Nº móvil", "WhatsApp",
           "Número de móvil", "movil_cliente", "Móvil contacto"],
    "pt": ["Telemóvel", "Telemovel", "Tlm.", "Nº de telemóvel"],
    "fr": ["Portable", "Tél. portable", "Téléphone portable", "N° de portable", "Mobile"],
    "it": ["Cellulare", "Cell.", "Numero di cellulare", "Tel. cellulare"],
    "de": ["Handy", "Handynummer", "Mobil", "Mobilnummer", "Mobiltelefon"],
    "ca": ["Mòbil", "Telèfon mòbil", "Núm. mòbil"],
    "en": ["Mobile", "Mobile Phone", "mobilePhone", "Cell", "Mobile Phone Number", "Cell phone"],
}  # fmt: skip
PHONE_HEADS = {
    "es": ["Teléfono", "TELEFONO", "Tel.", "Telf.", "Tfno", "Tlf", "Telef.", "Telefono1", "Nº de teléfono", "Teléfonos",
           "Número de teléfono", "Tel. contacto", "telefono_contacto", "Teléfono (principal)", "Tel/WhatsApp"],
    "pt": ["Telefone", "Tel", "Número de telefone"],
    "fr": ["Téléphone", "Tél.", "N° de téléphone", "Numéro de téléphone"],
    "it": ["Telefono", "Tel.", "Numero di telefono", "Recapito telefonico"],
    "de": ["Telefon", "Telefonnummer", "Rufnummer", "Tel.-Nr."],
    "ca": ["Telèfon", "Telèfons", "Tel. de contacte"],
    "en": ["Phone", "Phone Number", "phoneNumber", "phone_number", "Telephone", "Tel", "Phone 1 - Value",
           "Primary Phone", "MSISDN"],
}  # fmt: skip
FIXED_HEADS = {
    "es": ["Fijo", "Teléfono fijo", "Tel. fijo", "Centralita"], "pt": ["Telefone fixo", "Fixo"],
    "fr": ["Fixe", "Tél. fixe"], "it": ["Fisso", "Tel. fisso"], "de": ["Festnetz", "Festnetznummer"],
    "ca": ["Fix", "Telèfon fix"], "en": ["Landline", "Business Phone", "Home Phone"],
}  # fmt: skip
OTHERS: dict[str, dict[str, str]] = {  # headings by what stands below them
    "es": {"name": "Nombre", "surname": "Apellidos", "mail": "Correo", "city": "Población", "street": "Dirección",
           "note": "Observaciones", "date": "Fecha alta", "amount": "Importe", "cp": "CP", "id": "Id"},
    "pt": {"name": "Nome", "surname": "Apelido", "mail": "E-mail", "city": "Localidade", "street": "Morada",
           "note": "Notas", "date": "Data", "amount": "Valor", "cp": "Código postal", "id": "Id"},
    "fr": {"name": "Nom", "surname": "Prénom", "mail": "Courriel", "city": "Ville", "street": "Adresse",
           "note": "Commentaire", "date": "Date", "amount": "Montant", "cp": "Code postal", "id": "Id"},
    "it": {"name": "Nome", "surname": "Cognome", "mail": "E-mail", "city": "Città", "street": "Indirizzo",
           "note": "Note", "date": "Data", "amount": "Importo", "cp": "CAP", "id": "Id"},
    "de": {"name": "Vorname", "surname": "Nachname", "mail": "E-Mail", "city": "Ort", "street": "Straße",
           "note": "Bemerkung", "date": "Datum", "amount": "Betrag", "cp": "PLZ", "id": "Id"},
    "ca": {"name": "Nom", "surname": "Cognoms", "mail": "Correu", "city": "Població", "street": "Adreça",
           "note": "Observacions", "date": "Data", "amount": "Import", "cp": "Codi postal", "id": "Id"},
    "en": {"name": "First Name", "surname": "Last Name", "mail": "Email", "city": "City", "street": "Street",
           "note": "Notes", "date": "Created Date", "amount": "Amount", "cp": "Postcode", "id": "Record ID"},
}  # fmt: skip
RIVAL_HEADS = {
    "es": ["Nº pedido", "Código", "Código cliente", "Número", "Referencia", "Expediente", "Nº socio", "Factura"],
    "pt": ["Nº encomenda", "Código", "NIF", "Referência"], "fr": ["N° commande", "Code client", "Référence"],
    "it": ["N. ordine", "Codice cliente", "Riferimento"], "de": ["Kundennummer", "Bestell-Nr.", "Rechnungsnummer"],
    "ca": ["Núm. comanda", "Codi client", "Referència"], "en": ["Order number", "Customer ID", "Account Number"],
}  # fmt: skip
PEOPLE = ["Ana", "Luis", "Eva", "Pepe", "María", "Zoë", "John", "Núria", "João", "Chloé", "Giulia", "Jürgen"]
CITIES = ["Madrid", "Vigo", "Lyon", "Braga", "Bari", "Bonn", "León", "Leeds"]
BAD = ["sin teléfono", "no tiene", "-", "N/A", "?", "pendiente", "555", "no", "llamar tarde", "0", "123456", "60012"]


@dataclass
class MadeList:
    """A made workbook, and the truth about it."""

    sheets: list[list[list[Any]]]
    sheet: int
    header_row: int
    column: int
    numbers: tuple[int, ...]  # all columns with telephone numbers
    country: str
    country_column: int | None = None
    named: bool = True  # the heading names it
    titles: int = 0  # rows above the list or its headings
    facts: dict[str, Any] = field(default_factory=dict)


def made_lists(count: int = 500, seed: int = 14) -> Iterator[MadeList]:
    """Make lists, the same ones for the same seed."""
    for n in range(count):
        yield _Maker(random.Random(seed * 100_003 + n)).make()


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def make(self) -> MadeList:
        chance = self.chance
        country = chance.choices(list(CODES), [60, 8, 7, 6, 6, 5, 5, 3])[0]
        language = LANGUAGE[country]
        if country == "ES" and chance.random() < 0.12:
            language = "ca"
        elif chance.random() < 0.1:
            language = "en"
        named = chance.random() < 0.88
        rows_count = chance.choice([8, 20, 40, 60, 230])
        columns = self._columns(country, language, rows_count)
        lines = [[column.cells[row] for column in columns] for row in range(rows_count)]
        head = [column.head for column in columns]
        self._odd_headings(columns, head)
        above = self._above(len(columns), named, language)
        sheet = above + ([head] if named else []) + lines
        covers = [self._cover() for _ in range(chance.choices([0, 1, 2], [75, 18, 7])[0])]
        after = [self._cover()] if chance.random() < 0.2 else []
        phones = [place for place, column in enumerate(columns) if column.kind in ("mobile", "phone", "fixed")]
        best = min(phones, key=lambda place: ("mobile", "phone", "fixed").index(columns[place].kind))
        countries = next((n for n, column in enumerate(columns) if column.kind == "country"), None)
        return MadeList(
            [*covers, sheet, *after], len(covers), len(above) + 1 if named else 0, best, tuple(phones), country,
            countries, named, len(above),
            {"language": language, "rivals": sum(c.kind == "rival" for c in columns), "two": len(phones) > 1,
             "head": columns[best].head if named else ""},
        )  # fmt: skip

    def _columns(self, country: str, language: str, count: int) -> "list[_Made]":
        chance = self.chance
        blank, bad = chance.choice([0, 0, 0.05, 0.2, 0.4]), chance.choice([0, 0, 0.03, 0.08, 0.2])
        style = chance.choice(["plain", "plain", "int", "spaced", "plus", "mixed"])
        countries = [country] * count
        columns: list[_Made] = []
        kinds = chance.choices([["mobile"], ["phone"], ["mobile", "fixed"], ["phone", "mobile"]], [30, 35, 20, 15])[0]
        if chance.random() < 0.1 and style != "plus":
            countries = [chance.choice(list(CODES)) for _ in range(count)]
            columns.append(self._of_countries(countries))
            kinds = kinds[:1]
        for kind in kinds:
            heads = {"mobile": MOBILE_HEADS, "phone": PHONE_HEADS, "fixed": FIXED_HEADS}[kind][language]
            numbers: list[Any] = [self._number(one, kind, style) for one in countries]
            for row in range(count):
                if chance.random() < blank:
                    numbers[row] = None
                elif chance.random() < bad:
                    numbers[row] = chance.choice(BAD)
            if all(number is None or number in BAD for number in numbers):
                numbers[-1] = self._number(country, kind, style)
            columns.append(_Made(kind, chance.choice(heads), numbers))
        for _ in range(chance.choices([0, 1, 2], [45, 40, 15])[0]):
            columns.append(_Made("rival", chance.choice(RIVAL_HEADS[language]), self._rival(count)))
        makers: dict[str, Callable[[int], Any]] = {
            "name": lambda _: chance.choice(PEOPLE), "surname": lambda _: f"{chance.choice(PEOPLE)}z",
            "mail": lambda n: f"a{n}@example.org", "city": lambda _: chance.choice(CITIES),
            "street": lambda n: f"Calle Mayor {n}", "note": lambda n: "llamar" if n % 7 == 0 else None,
            "date": lambda n: _day(n % 28 + 1), "amount": lambda n: n * 12.5,
            "cp": lambda n: f"28{n % 999:03d}", "id": lambda n: n + 1,
        }  # fmt: skip
        for kind in chance.sample(list(makers), chance.randint(1, 5)):
            columns.append(_Made(kind, OTHERS[language][kind], [makers[kind](n) for n in range(count)]))
        chance.shuffle(columns)
        heads = [column.head for column in columns]
        return [column for n, column in enumerate(columns) if column.kind in ("mobile", "phone", "fixed")
                or column.head not in heads[:n]]  # fmt: skip

    def _number(self, country: str, kind: str, style: str) -> Any:
        chance = self.chance
        mobile = kind == "mobile" or (kind == "phone" and chance.random() < 0.7)
        start, more = chance.choice((MOBILES if mobile else LANDLINES)[country])
        digits = start + "".join(chance.choice("0123456789") for _ in range(more))
        if style == "mixed":
            style = chance.choice(["plain", "spaced", "plus", "int"])
        if style == "int":
            return int(digits)  # Excel eats the zero
        if style == "spaced":
            return " ".join([digits[:3], digits[3:6], digits[6:]])
        if style == "plus":
            bare = digits if country == "IT" else digits.lstrip("0")
            return f"+{CODES[country]} {bare}"
        return digits

    def _rival(self, count: int) -> list[Any]:
        chance = self.chance
        kind, start = chance.choice(["random", "series", "text"]), chance.choice([6, 9]) * 10**8
        if kind == "series":
            step = chance.randint(1, 40)
            return [start + n * step for n in range(count)]
        values = [start + chance.randrange(10**8) for _ in range(count)]
        return [str(value) for value in values] if kind == "text" else list(values)

    def _of_countries(self, countries: list[str]) -> "_Made":
        if self.chance.random() < 0.5:
            head = self.chance.choice(["Prefijo", "Country code", "Indicatif", "Prefixo"])
            cells: list[Any] = [f"+{CODES[one]}" for one in countries]
            if self.chance.random() < 0.4:
                cells = [int(CODES[one]) for one in countries]
            return _Made("country", head, cells)
        head = self.chance.choice(["País", "Pais", "Country", "Mailing Country"])
        return _Made("country", head, [self.chance.choice(NAMES[one]) for one in countries])

    def _odd_headings(self, columns: "list[_Made]", head: list[Any]) -> None:
        """Years, dates and empty cells in headings."""
        chance = self.chance
        for place, column in enumerate(columns):
            if column.kind in ("amount", "date", "note", "city") and chance.random() < 0.35:
                head[place] = chance.choice([2023, 2024.0, _day(1), None, "2025", "31/12/2024"])

    def _above(self, width: int, named: bool, language: str) -> list[list[Any]]:
        chance, lines = self.chance, []
        for _ in range(chance.choices([0, 1, 2, 4], [60, 15, 15, 10])[0]):
            lines.append(chance.choice([
                [], ["Listado de clientes 2026"], ["Teléfonos de clientes"], ["Informe generado el 12/11/2026"],
                ["Academia Sol, tel. 912 345 678"], [None, "Confidencial"],
            ]))  # fmt: skip
        if named and width > 3 and chance.random() < 0.15:
            group: list[Any] = [None] * width
            group[0], group[width // 2] = chance.choice([("Datos", "Contacto"), ("Cliente", "Teléfonos")])
            lines.append(group)
        return lines

    def _cover(self) -> list[list[Any]]:
        return self.chance.choice([
            [["Informe", 2024], ["Autor", "Ana"], ["Tel.", "912345678"]],
            [["Instrucciones"], ["1. Rellene la hoja siguiente"], ["2. Envíela a Ana, tel. 612345678"]],
            [["Resumen"], ["Total", 300], ["Media", 12.5]],
            [["Versión", "Fecha", "Autor"], [1, _day(1), "Luis"]],
        ])  # fmt: skip


def _day(day: int) -> datetime:
    return datetime(2026, 1, day)  # noqa: DTZ001 - a cell has no time zone


@dataclass
class _Made:
    kind: str
    head: str
    cells: list[Any]

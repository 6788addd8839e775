"""Make cells whose true answer is known, because each is written from a number, or from something that is none.

It knows neither the parser's patterns nor libphonenumber: a number is drawn from a few well-known ranges of its
country, and written the way that people, programs and address books write numbers. The same seed gives the same cells.
"""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from portal.phone import Reason


class Cell(NamedTuple):
    """A cell and what a person reads there. `why` are the reasons that are true of it when it is not looked up."""

    text: str
    country: str  # of the file
    numbers: tuple[str, ...]  # in E.164, in their order
    kind: str
    why: frozenset[Reason]


class Country(NamedTuple):
    """A country's numbers: d is any digit, a space is where people separate them. Trunk: dialled at home only."""

    code: str
    trunk: str
    ranges: tuple[str, ...]


COUNTRIES = {
    "ES": Country(
        "34", "", ("60d ddd ddd", "65d ddd ddd", "69d dd dd dd", "91 4dd dd dd", "93 2dd dd dd", "954 dd dd dd")
    ),
    "PT": Country("351", "", ("91d ddd ddd", "96d ddd ddd", "213 ddd ddd", "225 ddd ddd")),
    "FR": Country("33", "0", ("6 1d dd dd dd", "6 8d dd dd dd", "1 42 dd dd dd", "4 91 dd dd dd")),
    "DE": Country("49", "0", ("170 ddd dddd", "151 1ddd dddd", "30 2ddd dddd", "89 3ddd dddd")),
    "IT": Country("39", "", ("347 ddd dddd", "335 ddd dddd", "06 4ddd dddd", "02 6ddd dddd")),
    "GB": Country("44", "0", ("7400 ddd ddd", "7801 ddd ddd", "20 7ddd dddd", "161 4dd dddd")),
    "NL": Country("31", "0", ("6 1ddd dddd", "6 2ddd dddd", "20 5dd dddd", "10 4dd dddd")),
    "MA": Country("212", "0", ("661 dd dd dd", "667 dd dd dd", "522 2d dd dd")),
    "US": Country("1", "", ("212 5dd dddd", "415 6dd dddd", "305 4dd dddd")),
    "MX": Country("52", "", ("55 5ddd dddd", "33 3ddd dddd", "81 8ddd dddd")),
    "AR": Country("54", "0", ("11 4ddd dddd", "341 4dd dddd")),
    "BR": Country("55", "0", ("11 99ddd dddd", "21 98ddd dddd", "11 3ddd dddd")),
    "CO": Country("57", "", ("310 ddd dddd", "315 ddd dddd", "601 3dd dddd")),
    "CL": Country("56", "", ("9 71dd dddd", "9 8ddd dddd", "2 2ddd dddd")),
    "PE": Country("51", "0", ("98d ddd ddd", "99d ddd ddd", "1 4dd dddd")),
}
NAMES = ("Juan", "Ana María", "María José", "Pérez, Luis", "mamá", "Dr. Ruiz", "oficina", "casa", "Iñaki", "Beatriz")
BEFORE = (
    "Tel. {}",
    "Tel: {}",
    "Teléfono: {}",
    "Tlf {}",
    "TLF.: {}",
    "Móvil {}",
    "movil:{}",
    "Tel1: {}",
    "Tfno. {}",
    "tel:{}",
    "WhatsApp {}",
    "Mobile: {}",
    "Phone {}",
    "Fijo: {}",
    "Cel. {}",
    "{} ",
    " {}",
    "☎ {}",
    "📞{}",
    "1) {}",
    "2. {}",
    "- {}",
    "• {}",
    "'{}",
    "{}.",
    "<{}>",
    "[{}]",
    '"{}"',
)
BEHIND = (
    "{} ({name})",
    "{} {name}",
    "{} - {name}",
    "{}-{name}",
    "{} / {name}",
    "{}, {name}",
    "{}; {name}",
    "{}\n{name}",
    "{name}: {}",
    "{name} {}",
    "{name} - {}",
    "({name}) {}",
    "{} (WhatsApp)",
    "{} casa",
    "{} trabajo",
    "{} ext. {small}",
    "{} ext {small}",
    "{} (ext. {small})",
    "{} x{small}",
    "{} *",
    "{} ?",
    "{} mañanas",
    "{} (mañanas)",
    "{} 01/02/2024",
    "{} llamar a partir de las 18:00",
    "{} {name}@example.com",
    "llamar al {}",
    "{} ok",
)
SEPARATORS = (
    "",
    " ",
    ".",
    "-",
    "\u00a0",
    "\u2009",
    "\u202f",
    "\u2007",
    "·",
    "_",
    " - ",
    "\t",
    "–",
    "\u2011",
    "/",
    ", "[0],
    " . ",
)
DIGITS = ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "０１２３４５６７８９")
UNSEEN = ("\u200b", "\u200e", "\u202a", "\u2060", "\u00ad", "\ufeff", "\u2066", "\u200f")


def some_number(draw: random.Random, country: str) -> tuple[str, list[str]]:
    """A number in E.164, and its groups of digits as they are separated at home, without the trunk prefix."""
    plan = COUNTRIES[country]
    drawn = "".join(draw.choice("0123456789") if mark == "d" else mark for mark in draw.choice(plan.ranges))
    return "+" + plan.code + drawn.replace(" ", ""), drawn.split(" ")


# How a number is written: with its country's code, or as at home. Each gets the plan, the groups and a separator.
Written = Callable[[Country, list[str], str], str]
ABROAD: tuple[Written, ...] = (
    lambda plan, groups, sep: f"+{plan.code}{sep}{sep.join(groups)}",
    lambda plan, groups, sep: f"+{plan.code} {sep.join(groups)}",
    lambda plan, groups, sep: f"00{plan.code}{sep}{sep.join(groups)}",
    lambda plan, groups, sep: f"00 {plan.code} {sep.join(groups)}",
    lambda plan, groups, sep: f"(+{plan.code}) {sep.join(groups)}",
    lambda plan, groups, sep: f"(00{plan.code}) {sep.join(groups)}",
    lambda plan, groups, sep: f"+({plan.code}) {sep.join(groups)}",
    lambda plan, groups, sep: f"+ {plan.code} {sep.join(groups)}",
    lambda plan, groups, sep: f"+{plan.code} ({groups[0]}) {sep.join(groups[1:])}",
    lambda plan, groups, sep: f"+{plan.code}-{groups[0]}-{sep.join(groups[1:])}",
)
HOME: tuple[Written, ...] = (
    lambda plan, groups, sep: plan.trunk + sep.join(groups),
    lambda plan, groups, sep: f"({plan.trunk}{groups[0]}) {sep.join(groups[1:])}",
    lambda plan, groups, sep: f"{plan.trunk}{groups[0]}-{sep.join(groups[1:])}",
    lambda plan, groups, sep: f"{plan.trunk}{groups[0]} {''.join(groups[1:])}",
    lambda plan, groups, sep: f"({plan.trunk}{groups[0]}){''.join(groups[1:])}",
)


def one_number(draw: random.Random) -> Cell:
    """A cell with one number: written with its country's code in any file, or without in a file of its country."""
    country = draw.choice(list(COUNTRIES) + ["ES"] * 6)
    plan = COUNTRIES[country]
    e164, groups = some_number(draw, country)
    abroad = draw.random() < 0.5
    file_country = draw.choice([country, "ES", draw.choice(list(COUNTRIES))]) if abroad else country
    number, form = draw.choice(range(len(ABROAD if abroad else HOME))), draw.choice(SEPARATORS)
    text = (ABROAD if abroad else HOME)[number](plan, groups, form)
    why: set[Reason] = set()
    noise = draw.random()
    pattern = "{}"
    if noise < 0.25:
        pattern = draw.choice(BEFORE)
    elif noise < 0.6:
        pattern = draw.choice(BEHIND)
    elif noise < 0.65:
        to = draw.choice(DIGITS)
        text = text.translate({ord("0") + value: digit for value, digit in enumerate(to)})
    elif noise < 0.72:
        place = draw.randrange(len(text) + 1)
        text = text[:place] + draw.choice(UNSEEN) + text[place:]
    text = pattern.format(text, name=draw.choice(NAMES), small=draw.randrange(1, 9999))
    kind = f"{'abroad' if abroad else 'home'} {number} {form!r} {pattern}"
    # A single point or comma may be a decimal one, many digits may belong to two numbers: such a cell may be offered.
    if text.count(".") + text.count(",") == 1:
        why.add(Reason.AMOUNT)
    if not abroad:
        why |= {Reason.AMBIGUOUS, Reason.AMOUNT}
    return Cell(text, file_country, (e164,), kind, frozenset(why))


def special_notation(draw: random.Random) -> Cell:
    """A cell with one number, as programs, old habits and mistakes write it."""
    country = draw.choice(list(COUNTRIES))
    plan = COUNTRIES[country]
    e164, groups = some_number(draw, country)
    nsn, spanish = "".join(groups), some_number(draw, "ES")[0][3:]
    es, mx = f"+34{spanish}", some_number(draw, "MX")[0]
    italian = "+3906" + "4" + "".join(draw.choice("0123456789") for _ in range(7))
    at = draw.randrange(1, 9)
    letter = {"0": "O", "1": draw.choice("lI")}
    spoilt = "".join(letter.get(digit, digit) if place % 2 else digit for place, digit in enumerate(spanish))
    java = spanish[0] + "." + (spanish[1:].rstrip("0") or "0") + "E8"
    choices: tuple[tuple[str, str, str, str, set[Reason]], ...] = (
        ("no plus", plan.code + nsn, "ES" if draw.random() < 0.5 else country, e164,
         {Reason.OTHER_COUNTRY, Reason.AMBIGUOUS}),
        ("no plus, spaced", f"{plan.code} {' '.join(groups)}", "ES", e164, {Reason.OTHER_COUNTRY, Reason.EXTRA_DIGITS}),
        ("float", f"{spanish}.0", "ES", es, set()),
        ("two decimals", f"{spanish},00", "ES", es, set()),
        ("Excel E+08", f"{spanish[0]}.{spanish[1:]}E+08", "ES", es, set()),
        ("Excel E+08, comma", f"{spanish[0]},{spanish[1:]}E+08", "ES", es, set()),
        ("Java", java, "ES", es, {Reason.EXCEL_DAMAGED}),
        ("(0)", f"+34 (0) {spanish}", "ES", es, set()),
        ("(0) together", f"+34(0){spanish}", "FR", es, set()),
        ("(0) of a country with a trunk", f"+44 (0) 20 7{spanish[1:8]}", "ES", f"+44207{spanish[1:8]}", set()),
        ("(0) in Italy", f"+39 (0)6 {italian[5:]}", "ES", italian, {Reason.AMBIGUOUS}),
        ("034", f"034{spanish}", "ES", es, set()),
        ("+034", f"+034 {spanish}", "ES", es, set()),
        ("+34 34", f"+34 34{spanish}", "ES", es, set()),
        ("0034 34", f"003434{spanish}", "ES", es, set()),
        ("+34+34", f"+34+34{spanish}", "ES", es, set()),
        ("+34 0034", f"+34 0034 {spanish}", "ES", es, set()),
        ("Mexico 1", f"+52 1 {mx[3:5]} {mx[5:9]} {mx[9:]}", "ES", mx, set()),
        ("Mexico 1, no plus", f"521{mx[3:]}", "MX", mx, set()),
        ("Mexico 1, no plus, in Spain", f"521{mx[3:]}", "ES", mx, {Reason.OTHER_COUNTRY}),
        ("Mexico 044", f"044 {mx[3:5]} {mx[5:9]} {mx[9:]}", "MX", mx, set()),
        ("Mexico 045", f"045{mx[3:]}", "MX", mx, set()),
        ("Mexico 01", f"01 {mx[3:5]} {mx[5:]}", "MX", mx, set()),
        ("Italy without 0", italian[4:], "IT", italian, {Reason.LEADING_ZERO}),
        ("letters for digits", spoilt if spoilt != spanish else f"6OO{spanish[3:]}", "ES",
         es if spoilt != spanish else f"+34600{spanish[3:]}", {Reason.LETTERS}),
        ("name together", f"{spanish}{draw.choice(('Juan', 'Ana', 'casa'))}", "ES", es, {Reason.LETTERS}),
        ("label together", f"{draw.choice(('Tel', 'tlf', 'Movil', 'TEL'))}{spanish}", "ES", es, set()),
        ("more digits", f"{spanish} {at}", "ES", es, {Reason.EXTRA_DIGITS, Reason.AMBIGUOUS}),
        ("wa.me", f"https://wa.me/34{spanish}", "FR", es, set()),
        ("WhatsApp's id", f"34{spanish}@c.us", "MX", es, set()),
        ("api.whatsapp", f"https://api.whatsapp.com/send?phone=34{spanish}&text=hola", "ES", es, set()),
        ("tel link", f"tel:+34{spanish};ext=12", "ES", es, set()),
        ("Facebook", f"p:+34{spanish}", "ES", es, set()),
        ("formula text", f'="{spanish}"', "ES", es, set()),
        ("formula", f"=+34{spanish}", "ES", es, set()),
        ("apostrophes", f"'{spanish}'", "ES", es, set()),
        ("same twice", f"{spanish} / {spanish}", "ES", es, set()),
        ("same twice, once whole", f"{spanish} (0034 {spanish})", "ES", es, set()),
        ("country behind", f"{spanish} {draw.choice(('España', '(España)', '(ES)', 'SPAIN', '🇪🇸'))}", "ES", es, set()),
        ("other country named", f"Portugal 912{spanish[3:]}", "ES", f"+351912{spanish[3:]}", {Reason.OTHER_COUNTRY}),
        ("postcode behind", f"{spanish}, 28001 Madrid", "ES", es, set()),
        ("address before", f"C/ Mayor {at}, {spanish}", "ES", es, set()),
        ("identity card before", f"12345678Z {spanish}", "ES", es, set()),
        ("line break inside", f"{spanish[:3]}\n{spanish[3:]}", "ES", es, set()),
        ("only a code missing", f"+{spanish}", "ES", es,
         {Reason.TOO_SHORT, Reason.TOO_LONG, Reason.UNKNOWN_RANGE, Reason.UNKNOWN_COUNTRY, Reason.AMBIGUOUS}),
        ("a 0 too many", f"0{spanish}", "ES", es, {Reason.LEADING_ZERO}),
        ("M2M", f"590{spanish}0", "ES", f"+34590{spanish}0", set()),
        ("905", f"905 {spanish[:6]}", "ES", f"+34905{spanish[:6]}", set()),
        ("subtracted", str(34 - int(spanish)), "ES", es, {Reason.NEGATIVE}),
        ("keycaps", "".join(f"{digit}\ufe0f\u20e3" for digit in spanish), "ES", es, set()),
        ("dotted as addresses are", f"93.1{spanish[1:3]}.4{at}.5{at}", "ES",
         f"+34931{spanish[1:3]}4{at}5{at}", set()),
    )  # fmt: skip
    kind, text, file_country, number, why = draw.choice(choices)
    return Cell(text, file_country, (number,), kind, frozenset(why))


def two_numbers(draw: random.Random) -> Cell:
    """A cell with two different Spanish numbers."""
    first, second = some_number(draw, "ES"), some_number(draw, "ES")
    while second[0] == first[0]:
        second = some_number(draw, "ES")
    separator = draw.choice(("", " ", "-"))
    a, b = separator.join(first[1]), separator.join(second[1])
    pattern = draw.choice(
        (
            "{a} / {b}",
            "{a}/{b}",
            "{a} - {b}",
            "{a}-{b}",
            "{a}, {b}",
            "{a},{b}",
            "{a};{b}",
            "{a} | {b}",
            "{a}\n{b}",
            "{a} {b}",
            "{a}  {b}",
            "{a}\t{b}",
            "{a} y {b}",
            "{a} o {b}",
            "{a} ó {b}",
            "{a} & {b}",
            "{a} + {b}",
            "{a} ({b})",
            "{a}\\{b}",
            "+34{a} +34{b}",
            "+34 {a} / {b}",
            "Fijo: {a} Móvil: {b}",
            "{a} (Ana) {b} (Juan)",
            "{a} :: {b}",
            "0034{a} 0034{b}",
        )
    )
    return Cell(
        pattern.format(a=a, b=b),
        "ES",
        (first[0], second[0]),
        f"two: {pattern} {separator!r}",
        frozenset({Reason.SEVERAL_NUMBERS}),
    )


# What stands between two numbers of a cell; {0} and {1} are the numbers.
TWO = (
    "{0} / {1}", "{0}/{1}", "{0} - {1}", "{0};{1}", "{0}; {1}", "{0}, {1}", "{0} | {1}", "{0}|{1}", "{0}\n{1}",
    "{0}\r\n{1}", "{0} y {1}", "{0} o {1}", "{0} e {1}", "{0} and {1}", "{0} & {1}", "{0} + {1}", "{0} ({1})",
    "({0}) ({1})", "{0}   {1}", "Tel1: {0} Tel2: {1}", "Tel. {0} / Móvil {1}", "{0} (casa), {1} (trabajo)",
    "{0} {name} / {1}", "a) {0} b) {1}", "{name}: {0}\nAna: {1}", "{0} ext. 12 / {1}", "{0} / {1}, 28001 Madrid",
)  # fmt: skip
THREE = ("{0} / {1} / {2}", "{0}, {1}, {2}", "{0}\n{1}\n{2}", "{0}; {1} y {2}")


def several_numbers(draw: random.Random) -> Cell:
    """A cell with two or three numbers of one country, written as at home in a file of it, or each with its code."""
    country = draw.choice(list(COUNTRIES) + ["ES"] * 10)
    abroad = draw.random() < 0.3
    found: dict[str, str] = {}
    pattern = draw.choice(TWO + THREE)
    inner = draw.choice(("", " ", ".", "-") if "-" not in pattern else ("", " "))
    while len(found) < 3:
        of = draw.choice(list(COUNTRIES)) if abroad else country
        e164, groups = some_number(draw, of)
        plan = COUNTRIES[of]
        found[e164] = (f"+{plan.code} " if abroad else plan.trunk) + inner.join(groups)
    numbers, texts = tuple(found), tuple(found.values())
    count = 3 if pattern in THREE else 2
    text = pattern.format(*texts, name=draw.choice(NAMES))
    why = frozenset({Reason.SEVERAL_NUMBERS})
    return Cell(text, "ES" if abroad else country, numbers[:count], f"several: {pattern} {inner!r} {abroad}", why)


def doubtful_numbers(draw: random.Random) -> Cell:
    """A cell with two numbers of which one is not written whole, so that a program may read another one there."""
    mobile, pt = "6" + "".join(draw.choice("0123456789") for _ in range(8)), some_number(draw, "PT")[0]
    other = pt[:-1] + str((int(pt[-1]) + 1) % 10)
    last = f"{draw.randrange(10, 100)}"
    why = {Reason.SEVERAL_NUMBERS, Reason.EXTRA_DIGITS, Reason.OTHER_COUNTRY, Reason.TOO_LONG, Reason.AMBIGUOUS}
    choices = (
        (f"+351 {pt[4:]} / {other[4:]}", (pt, other), "code of the first"),
        (f"Portugal: {pt[4:]} / {other[4:]}", (pt, other), "country named once"),
        (f"+34{mobile}/{last}", (f"+34{mobile}", f"+34{mobile[:-2]}{last}"), "last digits"),
        (f"{mobile}{mobile[::-1].replace(mobile[-1], '6', 1)}", (), "written together"),
    )
    text, numbers, kind = draw.choice(choices)
    return Cell(text, "ES", numbers, f"doubtful: {kind}", frozenset(why))


def no_number(draw: random.Random) -> Cell:
    """A cell without any telephone number, or with one of which digits are missing."""

    def digits(count: int) -> str:
        return "".join(draw.choice("0123456789") for _ in range(count))

    mobile, day = (
        "6" + digits(8),
        f"{draw.randrange(1, 29):02d}/{draw.randrange(1, 13):02d}/{draw.randrange(1950, 2030)}",
    )
    clock = f"{draw.randrange(24)}:{draw.randrange(60):02d}"
    thousands = f"{draw.randrange(1, 999)}.{digits(3)}.{digits(3)},{digits(2)}"
    letters = "".join(draw.choice("BDGJKNRSW") for _ in range(3))
    some = Reason
    choices: tuple[tuple[str, str, set[Reason]], ...] = (
        ("masked", mobile[:6] + "XXX", {some.MASKED}),
        ("masked *", f"{mobile[:3]}***{mobile[6:]}", {some.MASKED}),
        ("masked, spaced", f"{mobile[:3]} {mobile[3:6]} xxx", {some.MASKED}),
        ("vanity", f"600-{letters}-{digits(2)}", {some.LETTERS, some.NOT_A_NUMBER, some.TOO_SHORT}),
        ("vanity 900", f"900 {letters}{letters}", {some.LETTERS, some.NOT_A_NUMBER, some.TOO_SHORT}),
        ("six digits and a name", f"{mobile[:3]} {mobile[3:6]} {letters}",
         {some.NOT_A_NUMBER, some.TOO_SHORT, some.LETTERS}),
        ("five digits and a name", f"{mobile[:5]} Juan", {some.NOT_A_NUMBER, some.TOO_SHORT}),
        ("DNI", digits(8) + draw.choice("TRWAGMYFPDXBNJZSQVHLCKE"), {some.IDENTIFIER}),
        ("NIE", "X" + digits(7) + "L", {some.IDENTIFIER}),
        ("CIF", "B" + digits(8), {some.IDENTIFIER}),
        ("CIF, labelled", "CIF: A-" + digits(8), {some.IDENTIFIER}),
        ("IBAN", f"ES{digits(2)} {digits(4)} {digits(4)} {digits(4)} {digits(4)} {digits(4)}", {some.IDENTIFIER}),
        ("IBAN, together", "ES" + digits(22), {some.IDENTIFIER}),
        ("order", f"{draw.choice(('Pedido', 'REF', 'Ref.', 'Factura nº', 'Expediente', 'ID:'))} {mobile}",
         {some.IDENTIFIER}),
        ("order, dash", f"REF-{mobile}", {some.IDENTIFIER}),
        ("part number", f"{letters}{mobile}", {some.LETTERS, some.IDENTIFIER}),
        ("version", f"v{mobile}", {some.LETTERS, some.IDENTIFIER}),
        ("UUID", f"{digits(4)}a{digits(3)}-{digits(3)}b-4{digits(2)}c-9{digits(2)}d-{digits(11)}e",
         {some.LETTERS, some.IDENTIFIER, some.NOT_A_NUMBER}),
        ("decimal", f"{digits(6).lstrip('0') or '1'}5.{digits(2)}", {some.AMOUNT, some.TOO_SHORT}),
        ("price", f"{draw.randrange(10**5, 10**7)}.{digits(1)}{draw.randrange(1, 10)}", {some.AMOUNT}),
        ("price, comma", f"{draw.randrange(10**5, 10**7)},{digits(1)}{draw.randrange(1, 10)}", {some.AMOUNT}),
        ("price, points", thousands, {some.AMOUNT}),
        ("price €", f"{draw.randrange(10**8, 10**9)} €", {some.AMOUNT}),
        ("price € before", f"€ {draw.randrange(10**8, 10**9)}", {some.AMOUNT}),
        ("price EUR", f"{draw.randrange(10**8, 10**9)} EUR", {some.AMOUNT}),
        ("longitude", f"-{draw.randrange(1, 180)}.{digits(6)}{draw.randrange(1, 10)}", {some.NEGATIVE, some.AMOUNT}),
        ("latitude", f"{draw.randrange(10, 90)}.{digits(6)}{draw.randrange(1, 10)}", {some.AMOUNT}),
        ("coordinates", f"40.{digits(6)}, -3.{digits(6)}", {some.NOT_A_NUMBER, some.AMOUNT, some.TOO_SHORT}),
        ("percent", f"{draw.randrange(10**8, 10**9)} %", {some.AMOUNT}),
        ("sum", str(34 - int(mobile)), {some.NEGATIVE}),
        ("negative", f"-{draw.randrange(10**5)}", {some.NEGATIVE}),
        ("date", day, {some.DATE}),
        ("date, dashes", day.replace("/", "-"), {some.DATE}),
        ("date, points", day.replace("/", "."), {some.DATE}),
        ("date, ISO", "-".join(reversed(day.split("/"))), {some.DATE}),
        ("date, two digits a year", f"{day[:6]}{day[8:]}", {some.DATE}),
        ("date and time", f"{day} {clock}", {some.DATE}),
        ("ISO moment", f"{'-'.join(reversed(day.split('/')))}T10:{digits(1)}0:00Z".replace("T10:6", "T10:1").replace(
            "T10:7", "T10:1").replace("T10:8", "T10:1").replace("T10:9", "T10:1"), {some.DATE}),
        ("two dates", f"{day} - {day}", {some.DATE, some.NOT_A_NUMBER}),
        ("time", clock, {some.DATE}),
        ("address on the net", f"192.168.{draw.randrange(256)}.{draw.randrange(256)}", {some.IDENTIFIER}),
        ("mail", f"juan{mobile}@example.com", {some.NOT_A_NUMBER}),
        ("link", f"https://example.com/p/{mobile}", {some.NOT_A_NUMBER}),
        ("error", draw.choice(("#N/A", "#¡DIV/0!", "#REF!", "#N/D", "#VALUE!", "########")), {some.ERROR_CELL}),
        ("formula", draw.choice(("=B2&C2", f"={mobile}+1", '=HYPERLINK("tel:600123123","Juan")', "=-600123123")),
         {some.NO_RESULT}),
        ("words", draw.choice(("sin teléfono", "no tiene", "—", "n/a", "pendiente", "?", "ver notas", "x")),
         {some.NOT_A_NUMBER}),
        ("postal address", f"C/ Mayor {draw.randrange(1, 99)}, 28001 Madrid", {some.NOT_A_NUMBER}),
        ("too short", mobile[:8], {some.TOO_SHORT}),
        ("too short, +34", f"+34 {mobile[:8]}", {some.TOO_SHORT}),
        ("too long", mobile + digits(6), {some.TOO_LONG, some.OTHER_COUNTRY}),
        ("not given out", f"2{digits(8)}", {some.UNKNOWN_RANGE, some.OTHER_COUNTRY}),
        ("no such country", f"+999 {mobile}", {some.UNKNOWN_COUNTRY}),
        ("short number", draw.choice(("112", "016", "017", "024", "061", "091", "116000", "11811", "11888")),
         {some.SHORT_NUMBER}),
        ("lost by Excel", f"{draw.randrange(1, 9)},{digits(1)}{draw.randrange(1, 10)}E+08", {some.EXCEL_DAMAGED}),
        ("card", f"4{digits(3)} {digits(4)} {digits(4)} {digits(4)}", {some.IDENTIFIER, some.SEVERAL_NUMBERS}),
        ("ICCID", "8934" + digits(15), {some.TOO_LONG}),
        ("long text", "Hablar con " * 25, {some.LONG_TEXT}),
        ("blank", draw.choice(("", "  ", "\u00a0", "\u200b", "'")), {some.BLANK}),
        ("yes", "TRUE", {some.NOT_A_NUMBER}),
    )  # fmt: skip
    kind, text, why = draw.choice(choices)
    return Cell(text, "ES", (), f"none: {kind}", frozenset(why))


def cells(seed: int) -> Iterator[Cell]:
    """14,100 cells: 9,500 with one number, 2,600 with several, and 2,000 with none."""
    draw = random.Random(seed)
    for make, many in (
        (one_number, 6500), (special_notation, 3000), (two_numbers, 1000), (no_number, 2000),
        (several_numbers, 1500), (doubtful_numbers, 100),
    ):  # fmt: skip
        for _ in range(many):
            yield make(draw)

"""Recognise a text that is one value as a whole (an error, an amount, a date), and say what it may mean. Pure."""

import re

from phonenumbers import country_code_for_region

from portal.phone.dialling import LONGEST, SHORTEST, read
from portal.phone.plain_reading import Phone, failed
from portal.phone.plain_text import digits_of
from portal.phone.reasons import Reason

_ERROR = re.compile(
    r"#(?:N/[AD]|¡?DIV/0!|¡?REF!|¡?VALUE!|¡?VALOR!|¿?N[AO]MB?R?E\?|NULL!|NULO!|¡?NUM!|SPILL!|CALC!|FIELD!|BLOCKED!|"
    r"CONNECT!|UNKNOWN!|BUSY!|PYTHON!|GETTING_DATA)|#{3,}|Err:\d{3}", re.I
)  # fmt: skip
_FORMULA = re.compile(r"=(?![\d\s]+$)", re.DOTALL)
_TIME = re.compile(r"\d{1,4}:[0-5]\d(?::[0-5]\d(?:[.,]\d{1,3})?)?(?: ?[AP]\.?M\.?)?", re.I)
_SCIENTIFIC = re.compile(r"\+?(\d)(?:[.,](\d+))?[eE](\+?)(\d{1,3})")
_NEGATIVE = re.compile(r"-(\d[\d., ]*)|(\d+)-")
_ZERO_FRACTION = re.compile(r"(\+?\d{6,})[.,](0{1,2})")  # 612345678.0, as pandas writes a column with blanks
_DECIMAL = re.compile(r"(?:\+?(?=\d{4})|)(\d+)[.,](\d+)")
_THOUSANDS = re.compile(r"\d{1,3}(?:([., '])\d{3})+(?!\1)[.,]\d{1,3}|\d([.,])\d{3}(?:\2\d{3})+|\d\d([.,])\d{3}\3\d{3}")
_FOUR_BYTES = re.compile(r"(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}")
_SHORT_DATE = re.compile(r"[0-3]?\d[/.-](?:0?[1-9]|1[0-2])[/.-]\d\d(?: \d{1,2}:\d\d(?::\d\d)?)?")
SPACED_DATE = re.compile(r"(?:0[1-9]|[12]\d|3[01]) (?:0[1-9]|1[0-2]) (?:19|20)\d\d")


def whole_value(text: str, country: str) -> Phone | None:
    """Recognise a text that is one value as a whole: an error, a number in scientific notation, an amount, a date."""
    if text.startswith(("#", "E", "e")) and _ERROR.fullmatch(text):
        return failed(Reason.ERROR_CELL)
    if text.startswith("=") and _FORMULA.match(text):  # its result may be another number than those in it
        return failed(Reason.NO_RESULT)
    if ":" in text and _TIME.fullmatch(text):
        return failed(Reason.DATE)
    if text.upper() != text.lower():  # with letters, only one of these is left
        scientific = _SCIENTIFIC.fullmatch(text)
        return _scientific(scientific, country) if scientific else None
    if fraction := _ZERO_FRACTION.fullmatch(text):
        digits = fraction[1]
        phone = read(digits.lstrip("+"), digits.startswith("+"), country)
        is_price = phone.reason is not None and not phone.offered and len(fraction[2]) == 2
        return failed(Reason.AMOUNT) if is_price else phone
    if negative := _NEGATIVE.fullmatch(text):
        return _negative(negative[1] or negative[2], country)
    if (decimal := _DECIMAL.fullmatch(text)) and min(len(decimal[1]), len(decimal[2])) < SHORTEST:
        # 91.2345678 may be a number that was written with a dot; 612345.678 may not.
        likely = 2 <= len(decimal[1]) <= 4 and len(decimal[2]) >= 3 and not text.startswith("+")
        return failed(Reason.AMOUNT, offers(decimal[1] + decimal[2], country) if likely else ())
    if _THOUSANDS.fullmatch(text):
        digits = digits_of(text)
        return failed(Reason.AMOUNT, offers(digits, country))
    if _SHORT_DATE.fullmatch(text):
        return failed(Reason.DATE, offers(digits_of(text), country) if ":" not in text else ())
    if SPACED_DATE.fullmatch(text):
        return failed(Reason.DATE, offers(text.replace(" ", ""), country))
    if _FOUR_BYTES.fullmatch(text):
        digits = text.replace(".", "")
        phone = read(digits, False, country)
        if phone.e164 and [len(part) for part in text.split(".")][-2:] == [2, 2]:
            return phone  # 93.123.45.67 is how numbers are written, and hardly ever how addresses end
        return failed(Reason.IDENTIFIER, (phone.e164,) if phone.e164 else ())
    return None


def offers(digits: str, country: str) -> tuple[str, ...]:
    e164 = read(digits, False, country).e164
    return (e164,) if e164 else ()


def _scientific(match: re.Match[str], country: str) -> Phone:
    """Read 6.12345678E+08, which has all its digits. Excel's 6,12E+08 has lost them; Java's 6.123E8 has not, as Java
    only leaves zeros out at the end."""
    first, rest, plus, exponent = match[1], match[2] or "", match[3], int(match[4])
    rest = rest.rstrip("0") if len(rest) > exponent else rest
    java = not plus and not match[4].startswith("0") and bool(match[2])
    if len(rest) > exponent or exponent > 15 or (len(rest) < exponent and not java):
        return failed(Reason.EXCEL_DAMAGED)
    phone = read(first + rest.ljust(exponent, "0"), False, country)
    if len(rest) < exponent - 2:  # three zeros at the end: one number in a thousand, so it is not certain
        return failed(Reason.EXCEL_DAMAGED, (phone.e164,) if phone.e164 else phone.offered)
    return phone


def _negative(value: str, country: str) -> Phone:
    """Offer what a negative number may have been: -912345644 is what Excel makes of +34-912345678."""
    digits = digits_of(value)
    code = country_code_for_region(country)
    found: list[str] = []
    if digits == value and len(digits) <= LONGEST:
        found += offers(str(int(digits) + code), country)
    found += offers(digits, country)
    return failed(Reason.NEGATIVE, tuple(dict.fromkeys(found)))

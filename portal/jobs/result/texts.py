"""How texts are compared: for a search, without accents and case; for an order, numbers by their size. Pure."""

import re
import struct
import unicodedata

_NUMBER = re.compile(r"-?(?:\d{1,3}(?:\.\d{3})+|\d{1,15})(?:,\d+)?|-?\d{1,15}\.\d+")
_THOUSANDS = re.compile(r"-?\d{1,3}(?:\.\d{3})+")
_UNITS = " €$£%\u00a0"
_PHONE = re.compile(r"[\d\s+()./-]+")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_SIGN = 1 << 63


def fold(text: str) -> str:
    """Return the text as it is searched: without accents, in lower case, on one line."""
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return text.casefold().replace("\n", " ")


def order_key(text: str) -> str:
    """Return a text by which cells are put in order: numbers first and by their size, then texts as `fold` has them;
    "" for an empty cell."""
    plain = text.strip()
    if not plain:
        return ""
    if plain[-1].isdecimal() or plain[-1] in _UNITS:
        number = plain.strip(_UNITS)
        if _NUMBER.fullmatch(number):
            if "," in number or _THOUSANDS.fullmatch(number):
                number = number.replace(".", "").replace(",", ".")
            return number_key(float(number))
    return f"1{fold(plain)}"


def number_key(number: float) -> str:
    """Return the same for a cell that holds a number."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", number))
    return f"0{bits ^ (2 * _SIGN - 1) if bits & _SIGN else bits | _SIGN:016x}"


def alternatives(searched: str) -> list[list[bytes]]:
    """Return what a row must contain, folded and encoded: all words of one of the lists. A telephone number is searched
    by its digits, however it is written, and also as it was typed."""
    words = [word.encode() for word in fold(searched).split()]
    if not words:
        return []
    if _PHONE.fullmatch(searched):
        digits = "".join(letter for letter in searched if letter.isdecimal()).removeprefix("00").encode()
        typed = fold(searched).strip().encode()
        return [[digits], [typed]] if digits and digits != typed else [[typed]]
    return [sorted(words, key=len, reverse=True)]

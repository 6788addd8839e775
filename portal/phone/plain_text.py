"""Make a cell's text plain: ASCII digits, one kind of space and of dash, and no marks that are not seen. Pure."""

import re
import unicodedata

_QUOTES = "'’‘`´\"“”«»"
_KEYCAP = "\u20e3"
_DOTS = "\u00b7\u2022\u2219\u2027\u22c5\u30fb\uff65"


class _Plain(dict[int, str | None]):
    """A table for `str.translate`: digits of all scripts to ASCII, dashes and spaces of all kinds to - and a space,
    marks that are not seen to nothing."""

    def __missing__(self, code: int) -> str | None:
        plain = self._plain(chr(code))
        if code < 0x3000:  # so that a crafted file cannot fill the memory
            self[code] = plain
        return plain

    @staticmethod
    def _plain(character: str) -> str | None:
        if character.isascii():
            return character
        category = unicodedata.category(character)
        if category == "Nd":
            return str(unicodedata.decimal(character))
        if category == "Cf" or "\ufe00" <= character <= "\ufe0f" or character == _KEYCAP:
            return None
        if category == "No":  # a footnote's ²
            return ";"
        if category in ("Zs", "Zl", "Zp"):
            return " "
        if category == "Pd" or character == "\u2212":
            return "-"
        if character in _DOTS:
            return "·"
        wide = unicodedata.normalize("NFKC", character)
        return wide if len(wide) == 1 and wide.isascii() and not wide.isalnum() else character


_PLAIN = _Plain()
_NO_DIGIT = re.compile(r"[^0-9]+")
_FORMULA = re.compile(r'=\s*"([^"]*)"|=\s*(\+?\d+)')


def plain_text(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    text = text.strip()
    if "=" in text[:2] and (formula := _FORMULA.fullmatch(text.lstrip(_QUOTES))):
        text = formula[1] or formula[2] or ""
    return text.strip().strip(_QUOTES).strip()


def digits_of(text: str) -> str:
    return _NO_DIGIT.sub("", text)


def folded(text: str) -> str:
    """Lower case without accents, character by character, so that positions stay the same."""
    if text.isascii():
        return text.lower()
    return "".join(unicodedata.normalize("NFD", letter)[0] for letter in text).lower()

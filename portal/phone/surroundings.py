"""What stands around the digits of a text: what is set aside, and what says that digits are no number. Pure."""

import re

from portal.phone.cell_words import AMOUNTS, COUNTRIES, IDENTIFIERS, LABELS, UNITS, codes
from portal.phone.plain_text import digits_of, folded
from portal.phone.reasons import Reason

_GAP = " ; "  # what is set aside leaves a mark that ends a number
_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_TIME = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?:[.,]\d{1,6})?(?:\s?[ap]\.?m\b\.?)?(?:Z|[+-]\d\d:?\d\d)?"
_DATES = re.compile(
    rf"(?<![\d/.\-+])(?:{_DAY}(?P<a>[/.\-]){_MONTH}(?P=a){_YEAR}|{_MONTH}(?P<b>[/.\-]){_DAY}(?P=b){_YEAR}"
    rf"|{_YEAR}(?P<c>[/.\-]){_MONTH}(?P=c){_DAY})(?![\d/\-]|\.\d)(?:[T ,]+{_TIME})?|(?<![\d:]){_TIME}(?![\d:])",
    re.I,
)
_ADDRESS = re.compile(r"\S*@\S+|(?:https?://|www\.)\S*|\b[\w-]+\.(?:com|es|net|org|pt|fr|de|it)/\S+", re.I)
_WHATSAPP = re.compile(
    r"(?:https?://)?(?:wa\.me/|api\.whatsapp\.com/send/?\?phone=|whatsapp://send/?\?phone=)\+?(\d+)\S*"
    r"|\b(\d{7,15})@(?:c\.us|s\.whatsapp\.net)\b",
    re.I,
)
_AND = re.compile(r"(?<=\d)\s+\+\s+(?=\d)")  # 600123123 + 911234567 has no prefix
_ENDING = re.compile(r"(\d)\s+(?:al?|y|e|o|ou|et|ed|und|and)\s+(\d{2,3})(?![\d:ºª]|\s?[\dh.-])")  # 912345678 y 79
_CONTEXT = re.compile(r";phone-context=\S*", re.I)
_EXTENSION = re.compile(
    r"(?<=[\d)\s,;.(])\s*\(?(?:extensi[oó]n|ext|extn|extens|interno|int|anexo|poste|durchwahl|x|#|;ext=)"
    r"[\s.:=]*\d{1,6}\)?(?=\s*(?:$|[^\w\s]|\s[^\W\d]))",
    re.I,
)
_MASK = re.compile(r"\d[\s\-.]*(?:[xX]{2,}(?![a-z])|[*•●?#]{2,})|(?:[xX]{2,}|[*•●?]{2,})[\s\-.]*\d")
_NUMBER_SIGN = r"(?:\b(?:n(?:[º°o]|\.\s?º|\.|\b)|n[uú]m(?:ero|\.)?|number)[\s.:]*)?"
_WORDS_BEFORE = re.compile(rf"(?:([^\W\d_]+)[\s.]+)?([^\W\d_]+)[\s.:#=\-/]*{_NUMBER_SIGN}$", re.I)
_ABBREVIATION = re.compile(r"(?<![^\W\d_])([^\W\d_])\.\s?(?=[^\W\d_])")  # D.N.I. and P. IVA are DNI and PIVA
_HOUR = r"\d{1,2}(?:[:.][0-5]\d)?"
_HOURS = re.compile(
    rf"(?<![\d+.\-/]){_HOUR}\s?(?:h(?:s|rs|oras?)?\b\.?\s?)?(?:-|–|a|à|to|y)\s?{_HOUR}\s?h(?:s|rs|oras?)?\b\.?"
    rf"|(?<![\d+.\-/]){_HOUR}\s?h(?:s|rs|oras?)?\b\.?",
    re.I,
)
_ORDINAL = re.compile(r"(?<!\w)\d{1,2}\s?[ºª](?:\s?[A-Z]\b)?")  # of a floor, with its door
_LETTER_BEFORE = re.compile(r"(?:(?<![^\W_])[^\W\d_][-/]|#)$")
_LETTER_BEHIND = re.compile(r"[-/][^\W\d_](?![^\W_])")
MARKER = re.compile(r"(?:\d{1,2}\)|\(\d{1,2}\)|#\d{1,3}[.):]?|\d{1,2}(?:\.-|[.:ºª]|\s?-))\s+(?=\S)|\d{1,2}\)(?=\S)")
_LABEL_DIGIT = re.compile(r"([^\W\d_]{1,12})\.?[\s_]?\d(?=\s*[:)\]=]|\.-|\.(?!\d))")
_CURRENCY_BEFORE = re.compile(r"(?:^|[^\d\s])\s*[€$£¥]\s*$")  # in 50 € 600123123 it belongs to the 50
_UNITS_BEHIND = re.compile(r"\s*([€$£¥%‰°]|[^\W\d_]+\d?)")
_IDENTITY = re.compile(  # an IBAN; a Spanish DNI, NIE or CIF
    r"(?<!\w)(?:[A-Z]{2}\d\d(?:[\s-]?[A-Z\d]{4}){3,7}(?:[\s-]?[A-Z\d]{1,4})?|\d{2}\.?\d{3}\.?\d{3}-?[A-HJ-NP-TV-Z]"
    r"|[XYZ]-?\d{7}-?[A-Z]|[A-HJNP-SUVW]-?\d{7}[\dA-J])(?!\w)"
)
_DIGITS_OF_LOOKALIKE = 4
_LOOKALIKES = str.maketrans("OoQIl|", "000111")
_LOOKALIKE = re.compile(r"(?<![^\W\d_])\+?[\dOolI|](?:[\s.\-]?[\dOolI|]){6,}(?![^\W\d_])")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_IN_PARENTHESES = re.compile(r"[(\[]\s*([A-Z]{2})\s*[)\]]|^\s*([A-Z]{2})[\s:]+(?=[\d+(])|(?<=\d)\s+([A-Z]{2})\s*$")
WORD = re.compile(r"[^\W\d_]+")


def set_aside_text(text: str) -> tuple[str, Reason | None]:
    """Return a text without links, addresses, dates, times, identifiers, extensions and the numbers of labels; and what
    the most telling of them was: an identifier, a date, or neither."""
    told = None
    if not text.isascii() or text.upper() != text.lower():  # with a letter
        text = _ENDING.sub(r"\1/\2", text)
    if " + " in text:
        text = _AND.sub(_GAP, text)
    if any(mark in text for mark in "@/?;") or "www." in text:
        text = _WHATSAPP.sub(lambda found: f" +{found[1] or found[2]} ", text)
        text = _ADDRESS.sub(_GAP, _CONTEXT.sub(" ", text))
    if any(mark in text for mark in "/-.:"):
        dateless = _DATES.sub(_GAP, text)
        told = Reason.DATE if dateless != text else None
        text = dateless
    if WORD.search(text):
        text = _ORDINAL.sub(_GAP, text) if "º" in text or "ª" in text else text
        text = _HOURS.sub(_GAP, text) if "h" in text or "H" in text else text
        plain = _IDENTITY.sub(_GAP, text)
        told = Reason.IDENTIFIER if plain != text else told
        return _LABEL_DIGIT.sub(_label, _EXTENSION.sub(_GAP, plain)), told
    return (_EXTENSION.sub(_GAP, text) if "#" in text else text), told


def is_masked(text: str) -> bool:
    """Whether digits of a number are hidden behind several x, * or other marks."""
    return any(mark in text for mark in "xX*?#•●") and _MASK.search(text) is not None


def with_digits_for_letters(text: str) -> str | None:
    """Return the number with O, l and I as 0 and 1 where such letters stand among its digits; None if none do."""
    found = _LOOKALIKE.search(text)
    if found is None or not any(map(str.isalpha, found[0])) or len(digits_of(found[0])) < _DIGITS_OF_LOOKALIKE:
        return None
    return found[0].translate(_LOOKALIKES)


def why_no_number(text: str, start: int, end: int) -> Reason | None:
    """Why the digits from `start` to `end` are no telephone number, by what is written directly beside them."""
    before, behind = text[:start].rstrip("(["), text[end:]
    if reason := _why_by_words(before):
        return reason
    if _LETTER_BEFORE.search(before) or _LETTER_BEHIND.match(behind):
        return Reason.IDENTIFIER  # M-600123123 may be a mobile, and A-600123123 a company
    if attached := re.search(r"[^\W\d_]+$", before):
        if folded(attached[0]) not in LABELS:
            return Reason.LETTERS
    elif _CURRENCY_BEFORE.search(before):
        return Reason.AMOUNT
    if unit := _UNITS_BEHIND.match(behind):
        word = folded(unit[1])
        if word in "€$£¥%‰°" or word in UNITS:
            return Reason.AMOUNT
        if behind[0].isalpha():
            return Reason.LETTERS
    if behind.startswith(("*", "?", "#", "•")):
        return Reason.MASKED
    return None


def _why_by_words(before: str) -> Reason | None:
    """Why the digits behind these words are no telephone number: `pedido`, `contrato luz`, `P. IVA`, `total`."""
    found = _WORDS_BEFORE.search(_ABBREVIATION.sub(r"\1", before) if "." in before else before) if before else None
    if found is None:
        return None
    first, last = folded(found[1] or ""), folded(found[2])
    if last in IDENTIFIERS or (first in IDENTIFIERS and last not in LABELS):
        return Reason.IDENTIFIER
    return Reason.AMOUNT if last in AMOUNTS else None


def _label(found: re.Match[str]) -> str:
    """Take the digit off a label: Tel1 is Tel."""
    return found[1] if len(found[1]) == 1 or folded(found[1]) in LABELS else found[0]


def follows_a_word(text: str, start: int) -> bool:
    """Whether a word that is no label stands directly before: the digits may begin with its own number."""
    found = re.search(r"([^\W\d_]+)\s+$", text[:start])
    return found is not None and folded(found[1]) not in LABELS


def named_country(text: str) -> str | None:
    """The country that a text names: in words, by its flag, or as two capitals in parentheses."""
    if flag := _FLAG.search(text):
        return "".join(chr(ord(letter) - 0x1F1E6 + 65) for letter in flag[0])
    if found := _IN_PARENTHESES.search(text):
        code = next(filter(None, found.groups()))
        code = "GB" if code == "UK" else code
        if code in codes():
            return code
    words = WORD.findall(folded(text))
    for place, word in enumerate(words):
        for name in (" ".join(words[place : place + 2]), word):
            if name in COUNTRIES:
                return COUNTRIES[name]
    return None

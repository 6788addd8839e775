"""Take a cell's text apart, and decide whether it has one clear number. Pure.

The way: make the text plain, set aside what is certainly no telephone number (dates, addresses, amounts), cut the rest
into runs of digits with separators, read each run, and look at what was read: one number is the result; several, or
one that is not certain, are offered.
"""

import re
import unicodedata
from typing import NamedTuple

from phonenumbers import country_code_for_region

from portal.phone.cell_words import COUNTRIES, IDENTIFIERS, LABELS, UNITS, codes
from portal.phone.dialling import LONGEST, SHORTEST, Phone, code_of, failed, may_be_valid, read, read_spanish
from portal.phone.reasons import Reason

# Raise it with every change of what `parse` returns: counts that were made with another version are counted again.
PARSER_VERSION = 2

_LONGEST_TEXT = 200  # characters, as many as are kept of a cell; a longer one is prose
_MOST_DIGITS = 60  # of a cell
_MOST_GROUPS = 14  # of a run that is searched for several numbers
_ASIDE = 5  # digits beside a number that are left aside: a postcode, a floor, an hour


# ── plain text ──────────────────────────────────────────────────────────────────────────────────────────────────────

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


def _plain_text(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    text = text.strip().strip(_QUOTES).strip()
    if text.startswith("=") and (formula := _FORMULA.fullmatch(text)):
        text = (formula[1] or formula[2] or "").strip()
    return text


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", text)


def _folded(text: str) -> str:
    """Lower case without accents, character by character, so that positions stay the same."""
    if text.isascii():
        return text.lower()
    return "".join(unicodedata.normalize("NFD", letter)[0] for letter in text).lower()


# ── the parts of a text that are certainly no telephone number ──────────────────────────────────────────────────────

_ERROR = re.compile(
    r"#(?:N/[AD]|¡?DIV/0!|¡?REF!|¡?VALUE!|¡?VALOR!|¿?N[AO]MB?R?E\?|NULL!|NULO!|¡?NUM!|SPILL!)|#{3,}", re.I
)
_SCIENTIFIC = re.compile(r"\+?(\d)(?:[.,](\d+))?[eE](\+?)(\d{1,3})")
_NEGATIVE = re.compile(r"-(\d[\d., ]*)|(\d+)-")
_ZERO_FRACTION = re.compile(r"(\+?\d{6,})[.,]0{1,2}")  # 612345678.0, as pandas writes a column with blanks
_DECIMAL = re.compile(r"(?:\+?(?=\d{4})|)(\d+)[.,](\d+)")
_THOUSANDS = re.compile(r"\d{1,3}(?:([., '])\d{3})+(?!\1)[.,]\d{1,3}|\d([.,])\d{3}(?:\2\d{3})+|\d\d([.,])\d{3}\3\d{3}")
_FOUR_BYTES = re.compile(r"(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}")
_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_TIME = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?:[.,]\d{1,6})?(?:\s?[ap]\.?m\b\.?)?(?:Z|[+-]\d\d:?\d\d)?"
_DATES = re.compile(
    rf"(?<![\d/.\-])(?:{_DAY}(?P<a>[/.\-]){_MONTH}(?P=a){_YEAR}|{_MONTH}(?P<b>[/.\-]){_DAY}(?P=b){_YEAR}"
    rf"|{_YEAR}(?P<c>[/.\-]){_MONTH}(?P=c){_DAY})(?![\d/\-]|\.\d)(?:[T ,]+{_TIME})?|(?<![\d:]){_TIME}(?![\d:])"
    rf"|(?<![\d/.\-])[0-3]\d/[01]\d/\d\d(?![\d/])",
    re.I,
)
_SPACED_DATE = re.compile(r"(?:0[1-9]|[12]\d|3[01]) (?:0[1-9]|1[0-2]) (?:19|20)\d\d")
_ADDRESS = re.compile(r"\S*@\S+|(?:https?://|www\.)\S*|\b[\w-]+\.(?:com|es|net|org|pt|fr|de|it)/\S+", re.I)
_WHATSAPP = re.compile(
    r"(?:https?://)?(?:wa\.me/|api\.whatsapp\.com/send/?\?phone=|whatsapp://send/?\?phone=)\+?(\d+)\S*"
    r"|\b(\d{7,15})@(?:c\.us|s\.whatsapp\.net)\b",
    re.I,
)
_CONTEXT = re.compile(r";phone-context=\S*", re.I)
_EXTENSION = re.compile(
    r"(?<=[\d)\s,;.(])\s*\(?(?:extensi[oó]n|ext|extn|extens|interno|int|anexo|poste|durchwahl|x|#|;ext=)"
    r"[\s.:=]*\d{1,6}\)?(?=\s*(?:$|[^\w\s]|\s[^\W\d]))",
    re.I,
)
_MASK = re.compile(r"\d[\s\-.]*(?:[xX]{2,}|[*•●?#]+)(?![a-z])|(?:[xX]{2,}|[*•●?]{2,})[\s\-.]*\d")
_MARKER = re.compile(r"(?:\d{1,2}\)|\(\d{1,2}\)|#\d{1,3}[.):]?|\d{1,2}(?:\.-|[.:ºª]|\s?-))\s+(?=\S)|\d{1,2}\)(?=\S)")
_LABEL_DIGIT = re.compile(r"([^\W\d_]{1,12})\.?[\s_]?\d(?=\s*[:)\].=\-]\D|\s*[:)\]=])")
_UNITS_BEHIND = re.compile(r"\s*([€$£¥%‰°]|[^\W\d_]+\d?)")
_ZERO_LOOKALIKES = str.maketrans("OoQIl|", "000111")
_LOOKALIKE = re.compile(r"(?<![^\W\d_])(?=[\d\sOolI|.\-]*\d{3})\+?[\dOolI|](?:[\s.\-]?[\dOolI|]){6,}(?![^\W\d_])")
_IDENTITY = re.compile(  # an IBAN; a Spanish DNI, NIE or CIF
    r"(?<!\w)(?:[A-Z]{2}\d\d(?:[\s-]?[A-Z\d]{4}){3,7}(?:[\s-]?[A-Z\d]{1,4})?|\d{2}\.?\d{3}\.?\d{3}-?[A-HJ-NP-TV-Z]"
    r"|[XYZ]-?\d{7}-?[A-Z]|[A-HJNP-SUVW]-?\d{7}[\dA-J])(?!\w)"
)
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_IN_PARENTHESES = re.compile(r"[(\[]\s*([A-Z]{2})\s*[)\]]|^\s*([A-Z]{2})[\s:]+(?=[\d+(])|(?<=\d)\s+([A-Z]{2})\s*$")
_WORD = re.compile(r"[^\W\d_]+")

# A run: digits with separators between them. A comma before a space, words and other marks end it.
_BETWEEN = r"(?:,(?!\s)|[ \t\n\r.\-/·_()\[\]\\]){1,5}"
_RUN = re.compile(rf"(\+[\s(\[+]*)?(\d+(?:{_BETWEEN}\d+)*)")
_GROUP = re.compile(r"\d+")
_SIMPLE = re.compile(r"\+?\d{2,3}(?: \d{2,4}){1,5}|\d{2,3}(?:[.-]\d{2,3}){2,3}|\+\d{8,15}")
_ONLY_A_ZERO = re.compile(r"[(\[]\s*0\s*[)\]]")


def parse(cell_text: str, country: str) -> Phone:
    """Parse a text. `country` (two letters, such as ES) is for numbers without a prefix such as +34. Never raises."""
    text = cell_text.strip()
    if (quick := _quick(text, country)) is not None:
        return quick
    text = _plain_text(text)
    if not text:
        return failed(Reason.BLANK)
    if len(text) > _LONGEST_TEXT:
        return failed(Reason.LONG_TEXT)
    if text.isascii() and text.isdigit():
        return read(text, False, country)
    whole = _whole(text, country)
    if whole is not None:
        return whole
    if len(_digits(text)) > _MOST_DIGITS:
        return failed(Reason.TOO_LONG)
    return _Cell(text, country).result()


def _quick(text: str, country: str) -> Phone | None:
    """Read the texts that most files are full of: digits alone, or with a few spaces. None for all others."""
    if not text.isascii():
        return None
    if text.isdigit():
        if len(text) == 9 and country == "ES" and text[0] > "4" and (phone := read_spanish(text)) is not None:
            return phone
        return read(text, False, country)
    if _SIMPLE.fullmatch(text) is None:
        return None
    digits, plus = _digits(text), text[0] == "+"
    if country == "ES" and len(digits) == (11 if plus else 9) and (not plus or digits.startswith("34")):
        return read_spanish(digits[-9:])
    if len(digits) < 2 * SHORTEST and (plus or (" " in text and not _SPACED_DATE.fullmatch(text))):
        phone = read(digits, plus, country)
        return phone if phone.e164 else None
    return None


def _whole(text: str, country: str) -> Phone | None:
    """Recognise a text that is one value as a whole: an error, a number in scientific notation, an amount, a date."""
    if _ERROR.fullmatch(text):
        return failed(Reason.ERROR_CELL)
    if scientific := _SCIENTIFIC.fullmatch(text):
        return _scientific(scientific, country)
    if fraction := _ZERO_FRACTION.fullmatch(text):
        digits = fraction[1]
        return read(digits.lstrip("+"), digits.startswith("+"), country)
    if negative := _NEGATIVE.fullmatch(text):
        return _negative(negative[1] or negative[2], country)
    if (decimal := _DECIMAL.fullmatch(text)) and min(len(decimal[1]), len(decimal[2])) < SHORTEST:
        # 91.2345678 may be a number that was written with a dot; 612345.678 may not.
        likely = 2 <= len(decimal[1]) <= 4 and len(decimal[2]) >= 3 and not text.startswith("+")
        return failed(Reason.AMOUNT, _offers(decimal[1] + decimal[2], country) if likely else ())
    if _THOUSANDS.fullmatch(text):
        digits = _digits(text)
        return failed(Reason.AMOUNT, _offers(digits, country))
    if _SPACED_DATE.fullmatch(text):
        return failed(Reason.DATE, _offers(text.replace(" ", ""), country))
    if _FOUR_BYTES.fullmatch(text):
        digits = text.replace(".", "")
        phone = read(digits, False, country)
        if phone.e164 and [len(part) for part in text.split(".")][-2:] == [2, 2]:
            return phone  # 93.123.45.67 is how numbers are written, and hardly ever how addresses end
        return failed(Reason.IDENTIFIER, (phone.e164,) if phone.e164 else ())
    return None


def _offers(digits: str, country: str) -> tuple[str, ...]:
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
    digits = _digits(value)
    code = country_code_for_region(country)
    found: list[str] = []
    if digits == value and len(digits) <= LONGEST:
        found += _offers(str(int(digits) + code), country)
    found += _offers(digits, country)
    return failed(Reason.NEGATIVE, tuple(dict.fromkeys(found)))


# ── a text with words and several parts ─────────────────────────────────────────────────────────────────────────────


class _Run(NamedTuple):
    """Digits with separators between them, and what was read there. `poison`: why they are no telephone number."""

    phone: Phone
    digits: int
    poison: Reason | None


class _Cell:
    """A text that is not one plain number."""

    def __init__(self, text: str, country: str) -> None:
        self.country = country
        self.dated = self.identity = False
        words = _WORD.findall(text)
        self.has_letters = bool(words)
        self.has_words = any(len(word) > 1 and _folded(word) not in LABELS for word in words)
        self.masked = any(mark in text for mark in "xX*?#•●") and _MASK.search(text) is not None
        self.named = _named_country(text)
        self.text = self._without_asides(text)

    def _without_asides(self, text: str) -> str:
        """The text without links, addresses, dates, times, identifiers, extensions and the numbers of labels."""
        if any(mark in text for mark in "@/?;") or "www." in text:
            text = _WHATSAPP.sub(lambda found: f" +{found[1] or found[2]} ", text)
            text = _ADDRESS.sub(" ; ", _CONTEXT.sub(" ", text))
        if self.has_letters:
            plain = _IDENTITY.sub(" ; ", text)
            self.identity = plain != text
            text = _LABEL_DIGIT.sub(_label, _EXTENSION.sub(" ; ", plain))
        elif "#" in text:
            text = _EXTENSION.sub(" ; ", text)
        if any(mark in text for mark in "/-.:"):
            dateless = _DATES.sub(" ; ", text)
            self.dated = dateless != text
            text = dateless
        return text

    def result(self) -> Phone:
        """Read the runs of the text, without the marker of a list (`1)`) when there is one."""
        marker = _MARKER.match(self.text)
        if marker is None:
            return self._of(self.text)
        without = self._of(self.text[marker.end() :])
        if marker[0].startswith("(") or not marker[0].rstrip().endswith(")"):
            whole = self._of(self.text)
            if whole.e164 and whole.e164 != without.e164:
                return failed(Reason.AMBIGUOUS, (whole.e164, without.e164)) if without.e164 else whole
            if without.e164 is None:
                return whole
        return without

    def _of(self, text: str) -> Phone:
        runs = [self._run(text, found) for found in _RUN.finditer(text)]
        clean = [run for run in runs if run.poison is None]
        valid = list(dict.fromkeys(run.phone.e164 for run in clean if run.phone.e164))
        # Digits that are no telephone number by their label or letters are left aside; others that may be one are not.
        others = [run for run in clean if run.phone.e164 is None and run.digits > _ASIDE]
        if len(valid) == 1 and not others:
            found = next(run.phone for run in clean if run.phone.e164)
            return self._in_named_country(text, found)
        if valid:
            offered = dict.fromkeys(e164 for run in clean for e164 in (run.phone.e164, *run.phone.offered) if e164)
            return failed(Reason.SEVERAL_NUMBERS, tuple(offered))
        return self._without_number(text, runs, clean)

    def _without_number(self, text: str, runs: list[_Run], clean: list[_Run]) -> Phone:
        """The reason when no run is a number, with what can be offered."""
        offering = [run for run in clean if run.phone.offered]
        if len(offering) > 1:
            offered = dict.fromkeys(e164 for run in offering for e164 in run.phone.offered)
            return failed(Reason.SEVERAL_NUMBERS, tuple(offered))
        if offering:
            return offering[0].phone
        if self.masked:
            return failed(Reason.MASKED)
        if self.identity:
            return failed(Reason.IDENTIFIER)
        if lookalike := _LOOKALIKE.search(text):
            plain = lookalike[0].translate(_ZERO_LOOKALIKES)
            digits = _digits(plain)
            phone = read(digits, plain.startswith("+"), self.country)
            if any(map(str.isalpha, lookalike[0])):
                return failed(Reason.LETTERS, (phone.e164,) if phone.e164 else phone.offered)
        poisoned = sorted((run for run in runs if run.poison), key=lambda run: -run.digits)
        if poisoned and poisoned[0].poison and all(run.digits <= poisoned[0].digits for run in clean):
            phone = poisoned[0].phone
            return failed(poisoned[0].poison, (phone.e164,) if phone.e164 else ())
        longest = max(clean, key=lambda run: run.digits, default=None)
        if longest is None or (longest.digits < SHORTEST and self.has_words and longest.digits < SHORTEST - 1):
            return failed(Reason.DATE if self.dated and not self.has_words else Reason.NOT_A_NUMBER)
        if len(clean) > 1 and not self.has_words:
            digits = _digits(text)
            if together := _offers(digits, self.country):
                return failed(Reason.EXTRA_DIGITS, together)
        return longest.phone

    def _in_named_country(self, text: str, found: Phone) -> Phone:
        """Do not look up 912345678 as Spanish when the cell says Portugal."""
        named = self.named
        if named is None or found.country_code == country_code_for_region(named) or "+" in text:
            return found
        digits = _digits(text)
        abroad = read(digits, False, named).e164
        offered = dict.fromkeys(e164 for e164 in (abroad, found.e164) if e164)
        return failed(Reason.OTHER_COUNTRY, tuple(offered))

    def _run(self, text: str, found: re.Match[str]) -> _Run:
        plus = found[1] is not None
        groups = _GROUP.findall(found[2])
        digits = "".join(groups)
        poison = _poison(text, found.start(), found.end())
        if len(digits) < 3:
            return _Run(failed(Reason.TOO_SHORT), len(digits), poison)
        phone = self._read_run(found[2], groups, digits, plus)
        if phone.e164 and not plus and len(groups) > 1 and len(groups[0]) <= 2 and _word_before(text, found.start()):
            rest = read("".join(groups[1:]), False, self.country)
            if rest.e164 and rest.e164 != phone.e164:  # Piso 3 030 1234567
                phone = failed(Reason.AMBIGUOUS, (rest.e164, phone.e164))
        return _Run(phone, len(digits), poison)

    def _read_run(self, run: str, groups: list[str], digits: str, plus: bool) -> Phone:
        if (endings := self._endings(run, groups, plus)) is not None:
            return endings
        if plus and (zero := _ONLY_A_ZERO.search(run)):
            phone = self._optional_zero(run[: zero.start()], run[zero.end() :])
            if phone is not None:
                return phone
        whole = read(digits, plus, self.country)
        if len(groups) == 1 or len(groups) > _MOST_GROUPS:
            return whole
        if whole.e164:
            several = self._split(groups, plus) if len(digits) >= 2 * SHORTEST else []
            return failed(Reason.SEVERAL_NUMBERS, tuple(several)) if len(several) > 1 else whole
        if several := self._split(groups, plus):
            if len(several) == 1:  # the same number twice
                return read(several[0][1:], True, self.country)
            return failed(Reason.SEVERAL_NUMBERS, tuple(several))
        abroad = whole.offered and groups[0].lstrip("0") == code_of(digits.lstrip("0"))
        if abroad or whole.reason is Reason.AMBIGUOUS:
            return whole
        if part := self._part(groups, plus):
            return failed(Reason.EXTRA_DIGITS, tuple(dict.fromkeys((part, *whole.offered))))
        return whole

    def _optional_zero(self, before: str, after: str) -> Phone | None:
        """Read +34 (0) 600…: the 0 is not dialled from abroad, but in Italy it belongs to the number."""
        bare, tail = (_digits(part) for part in (before, after))
        found = [phone for phone in (read(bare + tail, True, self.country), read(f"{bare}0{tail}", True, self.country))
                 if phone.e164]  # fmt: skip
        numbers = tuple(dict.fromkeys(str(phone.e164) for phone in found))
        if len(numbers) > 1:
            return failed(Reason.AMBIGUOUS, numbers)
        return found[0] if found else None

    def _endings(self, run: str, groups: list[str], plus: bool) -> Phone | None:
        """Read 911234567/68, which is two numbers. None for all others."""
        ending = re.fullmatch(r"(.*\d[)\]]?)\s*/\s*(\d{1,3})", run, re.S)
        if ending is None:
            return None
        first = self._read_run(ending[1], groups[:-1], "".join(groups[:-1]), plus)
        if first.e164 and len(first.e164) > len(ending[2]):
            return failed(Reason.SEVERAL_NUMBERS, (first.e164, first.e164[: -len(ending[2])] + ending[2]))
        return None

    def _split(self, groups: list[str], plus: bool) -> list[str]:
        """The numbers that the groups make, if they make two or more and nothing is left over; each number once."""
        best: list[list[str] | None] = [[]] + [None] * len(groups)
        for end in range(1, len(groups) + 1):
            digits = ""
            for start in range(end - 1, -1, -1):
                digits = groups[start] + digits
                if len(digits) > LONGEST or (start == 0 and end == len(groups)):
                    break
                before = best[start]
                if before is None or not may_be_valid(digits, self.country):
                    continue
                phone = read(digits, plus and start == 0, self.country)
                if phone.e164:
                    best[end] = [*before, phone.e164]
                    break
        return list(dict.fromkeys(best[-1] or []))

    def _part(self, groups: list[str], plus: bool) -> str | None:
        """The number that all groups but the first or the last ones make."""
        for end in range(len(groups) - 1, 0, -1):
            digits = "".join(groups[:end])
            if len(digits) < SHORTEST:
                break
            if (plus or may_be_valid(digits, self.country)) and (phone := read(digits, plus, self.country)).e164:
                return phone.e164
        for start in range(1, len(groups)):
            digits = "".join(groups[start:])
            if len(digits) < SHORTEST:
                break
            if not plus and may_be_valid(digits, self.country) and (phone := read(digits, False, self.country)).e164:
                return phone.e164
        return None


def _poison(text: str, start: int, end: int) -> Reason | None:
    """Why the digits from `start` to `end` are no telephone number, by what is written directly beside them."""
    before, behind = text[:start], text[end:]
    if (word_before := re.search(r"([^\W\d_]+)[\s.:#º°=\-/]*$", before)) and _folded(word_before[1]) in IDENTIFIERS:
        return Reason.IDENTIFIER
    if attached := re.search(r"[^\W\d_]+$", before):
        if _folded(attached[0]) not in LABELS:
            return Reason.LETTERS
    elif before.rstrip()[-1:] in ("€", "$", "£", "¥"):
        return Reason.AMOUNT
    if unit := _UNITS_BEHIND.match(behind):
        word = _folded(unit[1])
        if word in "€$£¥%‰°" or word in UNITS:
            return Reason.AMOUNT
        if behind[0].isalpha():
            return Reason.LETTERS
    if _MASK.match(text[end - 1 :]):
        return Reason.MASKED
    return None


def _label(found: re.Match[str]) -> str:
    """Take the digit off a label: Tel1 is Tel."""
    return found[1] if len(found[1]) == 1 or _folded(found[1]) in LABELS else found[0]


def _word_before(text: str, start: int) -> bool:
    """Whether a word that is no label stands directly before: the digits may begin with its own number."""
    found = re.search(r"([^\W\d_]+)\s+$", text[:start])
    return found is not None and _folded(found[1]) not in LABELS


def _named_country(text: str) -> str | None:
    """The country that a text names: in words, by its flag, or as two capitals in parentheses."""
    if flag := _FLAG.search(text):
        return "".join(chr(ord(letter) - 0x1F1E6 + 65) for letter in flag[0])
    if found := _IN_PARENTHESES.search(text):
        code = next(filter(None, found.groups()))
        code = "GB" if code == "UK" else code
        if code in codes():
            return code
    words = _WORD.findall(_folded(text))
    for place, word in enumerate(words):
        for name in (" ".join(words[place : place + 2]), word):
            if name in COUNTRIES:
                return COUNTRIES[name]
    return None

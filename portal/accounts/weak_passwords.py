"""The passwords that somebody who guesses would try first: the commonest ones, one with a year or a few digits behind
it, a row of the keyboard, few characters repeated, the user's own address, the portal's name.

`common_passwords.txt.gz` has one a line: of the 20,000 commonest in leaked collections as Django's validator ships them
(BSD licence) and the 30,000 of zxcvbn (MIT licence), those of twelve characters and more, and the commonest that are
letters only, which people lengthen by digits. Pure: no database, no Flask.
"""

import gzip
import re
import unicodedata
from functools import cache
from pathlib import Path

from portal.accounts.errors import AccountProblem

LIST = Path(__file__).with_name("common_passwords.txt.gz")
PORTAL = "masterfilter"
# Words of this place, which the lists do not have: they come from leaks of English and Russian sites.
LOCAL = frozenset(
    """
    administrador administradora bienvenida bienvenido cambiame cámbiame clave contrasena contraseña contraseñas espana
    españa invitada invitado miclave micontrasena micontraseña micuenta numeros números telefono telefonos temporal
    teléfono teléfonos usuario usuarios welcome
    """.split()  # noqa: SIM905 - a list would take forty lines
)
FEWEST_DIFFERENT = 4  # characters
LONGEST_UNIT = 5  # characters that are repeated; a repeated word is judged as the word
MOST_ADDED = 6  # characters before and after a common word
SHORTEST_RUN = 3
_ROWS = (
    "01234567890", "1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "asdfghjklñ", "zxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp",
)  # fmt: skip
RUNS = " ".join(part for row in _ROWS for part in (row * 2, row[::-1] * 2))
# What people write for a letter. 1 is both i and l.
SPELLINGS = (str.maketrans("013457@$!|", "oieastasil"), str.maketrans("013457@$!|", "oleastasll"))


def weakness(password: str, email: str) -> AccountProblem | None:
    """Return why this password would be guessed soon; None when it would not."""
    text = "".join(unicodedata.normalize("NFKC", password).casefold().split())
    unit = _unit(text)
    if len(set(text)) < FEWEST_DIFFERENT or len(unit) <= LONGEST_UNIT:
        return AccountProblem.PASSWORD_REPEATED
    stems = {stem.translate(table) for stem in (_stem(text), _stem(unit)) if stem for table in ({}, *SPELLINGS)}
    if stems & {PORTAL, _unit(PORTAL * 2)} or _is_own(text, unit, stems, email.casefold()):
        return AccountProblem.PASSWORD_OWN
    if _is_run(text) or {text, unit, *stems} & _common():
        return AccountProblem.PASSWORD_COMMON
    return None


def _is_own(text: str, unit: str, stems: set[str], email: str) -> bool:
    if not email:
        return False
    added = len(text) - len(email)
    if unit == email or (email in text and added <= MOST_ADDED):
        return True
    name, _, host = email.partition("@")
    parts = {name, host, *re.split(r"[^\w]|_", email)}
    return bool(stems & {letters for part in parts if len(letters := _letters(part)) > 2}) or text == name


def _unit(text: str) -> str:
    """Return the shortest text that this one repeats, the last time perhaps cut off; the text itself if it does not."""
    for size in range(1, len(text) // 2 + 1):
        unit = text[:size]
        if (unit * (len(text) // size + 1))[: len(text)] == text:
            return unit
    return text


def _stem(text: str) -> str:
    """Return the word of a text that is a word with little added: a few characters, or a run such as 1234567."""
    found = re.fullmatch(r"([\W\d_]*)(.*?)([\W\d_]*)", text, re.DOTALL)
    if found is None or not found[2]:
        return ""
    added = [part for part in (found[1], found[3]) if part and not _is_run(part)]
    return found[2] if sum(map(len, added)) <= MOST_ADDED else ""


def _letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isalpha())


def _is_run(text: str) -> bool:
    """Whether the whole text is made of runs: neighbours on the keyboard or in the alphabet, or one character again and
    again."""
    at = 0
    while at < len(text):
        size = next((n for n in range(len(text) - at, SHORTEST_RUN - 1, -1) if _one_run(text[at : at + n])), 0)
        if not size:
            return False
        at += size
    return True


def _one_run(text: str) -> bool:
    return len(set(text)) == 1 or (len(text) <= 80 and text in RUNS)


@cache
def _common() -> frozenset[str]:
    return LOCAL | frozenset(gzip.decompress(LIST.read_bytes()).decode().split())

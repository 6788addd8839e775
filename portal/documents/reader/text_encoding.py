"""Judge a text file's encoding by the words that it gives. Pure.

Bytes say little: every byte is a letter in some encoding. So each candidate reads the file's words that have letters
beyond ASCII, and the one in which they look most like words of its languages wins.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from portal.documents.reader.file_type import HEAD_BYTES, wide_encoding

WESTERN = "cp1252"  # what Windows writes in western Europe; the usual one when nothing else fits better
_CANDIDATES = (WESTERN, "iso8859-15", "cp850", "mac_roman", "cp1253", "iso8859-7")  # the first wins a tie
CHOICES = (
    "utf-8", WESTERN, "iso8859-15", "cp850", "mac_roman", "utf-16", "cp1250", "iso8859-2", "cp1253", "iso8859-7",
    "cp1251", "cp1254", "shift_jis", "euc_jp", "euc_kr", "gb18030", "big5",
)  # fmt: skip
"""What a person can choose: names of Python's codecs, the usual ones first."""

MENDED = "portal-mended"  # the name of the error handler by which bytes that are no UTF-8 are read as cp1252
_MARGIN = 1.0  # of another encoding's words over those of the usual one
_JUDGED_BYTES = 4 * 1024 * 1024
_MOST_WORDS = 5_000
# Those of other scripts, as charset-normalizer and as a person's choice call them.
_OTHER_SCRIPTS = {
    "cp932": "shift_jis", "shift_jis": "shift_jis", "euc_jp": "euc_jp", "cp949": "euc_kr", "euc_kr": "euc_kr",
    "gb18030": "gb18030", "big5": "big5", "cp1251": "cp1251",
}  # fmt: skip
_GREEK = ("cp1253", "iso8859_7")
_WORD_BYTES, _FEW_WORDS, _MOST_FOREIGN = 4, 3, 500
_BETWEEN_WORDS = re.compile(rb"[\s,;|\"]+")
_LONGEST_WORD = 100
_UTF8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = bytes(range(0x80, 0x100))

_USUAL = frozenset("áéíóúüñçàèìòùâêîôûäëïößãõåæøœÁÉÍÓÚÜÑÇÀÈÌÒÙÂÊÎÔÛÄËÏÖÃÕÅÆØŒ")
_SIGNS = frozenset("ºª¿¡«»“”‘’„–—·°£©®…½¼¾²³§±\xa0•™")
_BETWEEN_LETTERS = frozenset("’·‘ºª")
_GREEK_PLAIN = re.compile("[Ά-ώ]")


def _mended(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode(WESTERN, "replace"), error.end


codecs.register_error(MENDED, _mended)


def errors_for(encoding: str) -> str:
    """Return the name of the error handler with which a file in this encoding is decoded."""
    return MENDED if encoding.startswith("utf-8") else "replace"


def encoding_of(path: Path) -> str:
    """Return the encoding: UTF-16 or UTF-8 if the bytes are, a few bad ones apart; else the one that gives words."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if wide := wide_encoding(head):
            return wide
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while piece := file.read(HEAD_BYTES):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            file.seek(0)
            return _of_words(file.read(_JUDGED_BYTES), from_bad=_around_first_high(path))
        return "utf-8"


def _around_first_high(path: Path) -> bytes:
    """The bytes from the first one beyond ASCII on: they may stand behind what is judged."""
    with path.open("rb") as file:
        while piece := file.read(_JUDGED_BYTES):
            if not piece.isascii():
                return piece + file.read(4)
    return b""


def _of_words(judged: bytes, from_bad: bytes) -> str:
    judged = judged if not judged.isascii() else from_bad
    high = len(judged) - len(judged.translate(None, _HIGH))
    in_utf8 = sum(map(len, _UTF8.findall(judged)))
    if in_utf8 >= high - in_utf8:
        return "utf-8"
    # A long run of ASCII (a picture in base64) is no word, and a pattern of words would go through it again and again.
    counted = Counter(word for word in _BETWEEN_WORDS.split(judged) if not word.isascii() and len(word) < _LONGEST_WORD)
    words = [word for word, _ in counted.most_common(_MOST_WORDS)]
    if (other := _of_other_scripts(words)) is not None:
        return other
    scores = {encoding: _score(words, encoding) for encoding in _CANDIDATES}
    best = max(scores, key=lambda encoding: scores[encoding])
    return best if scores[best] > scores[WESTERN] + _MARGIN else WESTERN


def _of_other_scripts(words: Sequence[bytes]) -> str | None:
    """The encoding of words that are written wholly in letters beyond ASCII, as in Japanese or Russian; None for words
    of Latin letters and of Greek, which are judged by themselves."""
    long = [word for word in words if len(word) >= _WORD_BYTES]
    foreign = [word for word in long if 2 * len(word.translate(None, _HIGH)) <= len(word)]
    if len(foreign) < _FEW_WORDS or 2 * len(foreign) <= len(long):
        return None
    from charset_normalizer import from_bytes  # takes a fiftieth of a second, and few files need it

    best = from_bytes(b" ".join(foreign[:_MOST_FOREIGN]), cp_isolation=[*_OTHER_SCRIPTS, *_GREEK]).best()
    return _OTHER_SCRIPTS.get(best.encoding) if best is not None else None


def _score(words: Iterable[bytes], encoding: str) -> float:
    return sum(_score_word(word.decode(encoding, "replace")) for word in words)


def _score_word(word: str) -> float:
    """Score how much a text looks like a word: by its letters beyond ASCII, and by what stands beside them."""
    if _GREEK_PLAIN.search(word):
        return _score_greek(word)
    score, run = 0.0, 0
    for place, letter in enumerate(word):
        if letter.isascii():
            run = 0
            continue
        run += 1
        before = word[place - 1 : place]
        after = word[place + 1 : place + 2]
        inside = before.isalpha() and after.isalpha()
        if letter in _USUAL:
            # Capitals inside a small word, and three accents in a row, stand in no western language.
            odd = run > 2 or (letter.isupper() and (before.islower() or (after.islower() and before.isupper())))
            alone = not (before.isalpha() or after.isalpha())
            score += -2 if odd else 0.25 if alone else 2
        elif letter == "€":
            score += -2 if inside else 2
        elif letter in _SIGNS:
            score += -2 if inside and letter not in _BETWEEN_LETTERS else 0.2
        elif letter.isalpha():
            score -= 0.5
        else:
            score -= 3
    return score


def _score_greek(word: str) -> float:
    if len(set(_GREEK_PLAIN.findall(word))) < 2:
        return 0.1  # one letter is no word
    score = 0.0
    for letter in word:
        if _GREEK_PLAIN.match(letter):
            score += 2
        elif letter.isalpha():
            score -= 3  # no word has letters of both alphabets
        elif not letter.isascii() and letter not in _SIGNS:
            score -= 3
    inside = re.search(r"[α-ώ][Ά-Ώ]", word)  # a capital behind a small letter
    return score - (4 if inside else 0)

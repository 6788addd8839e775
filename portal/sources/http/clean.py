"""Makes text of a source clean: what no database, workbook or terminal can hold goes out, once, where it comes in.

A JSON answer may hold `"\\ud800"`, half of an emoji, which no UTF-8 can carry, or `"\\u0000"`, which PostgreSQL does
not store. Pure.
"""

import re
from typing import Any

_UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
# What can bring one into a parsed value: the character itself, or an escape. Without any, the value is clean already
# and is not walked: most answers have letters such as Á, or emoji, in either form, and pass. Two halves of a pair that
# stand side by side are one character.
_CHARACTER = re.compile(r"[\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_ESCAPE = re.compile(
    r"\\u(?:00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F]|7[fF]|[89][0-9a-fA-F])|[fF]{3}[eEfF]"
    r"|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|[dD][c-fC-F](?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]))"
)
# Behind a second backslash a half is plain text, and looks like the partner of the next one.
_PLAIN = r"\\u"
BEGINNING = 3  # letters of a token that tell it from others
LIKE_A_TOKEN = re.compile(r"(?=[^a-zA-Z]*[a-zA-Z])(?=[^0-9]*[0-9])[A-Za-z0-9_\-+/=.~%]{16,}")
_LONG_WORD = re.compile(r"[A-Za-z0-9_\-+/=.~%]{16,}")


def clean_text(text: str) -> str:
    """The text without control characters, except tab and line breaks, and without halves of surrogate pairs.
    U+FFFD stays: it says that bytes could not be read."""
    return _UNWANTED.sub("", text)


def clean_json(value: Any, text: str) -> Any:
    """A parsed JSON value with all its texts and keys clean. `text` is what it was parsed from.

    Raises RecursionError for a value that is nested too deeply.
    """
    return _cleaned(value) if _is_suspect(text) else value


def _is_suspect(text: str) -> bool:
    found = "\x7f" in text if text.isascii() else _CHARACTER.search(text) is not None
    return found or ("\\u" in text and (_PLAIN in text or _ESCAPE.search(text) is not None))


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean_text(value)
        case list():
            return [_cleaned(one) for one in value]
        case dict():
            return {clean_text(key): _cleaned(one) for key, one in value.items()}
        case _:
            return value


def without_tokens(text: str) -> str:
    """A text with the beginning only of whatever may be a token: of the answer of a login, which may have its own
    anywhere."""
    return _LONG_WORD.sub(
        lambda match: f"{match[0][:BEGINNING]}…" if LIKE_A_TOKEN.fullmatch(match[0]) else match[0], text
    )

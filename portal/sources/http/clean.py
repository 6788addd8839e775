"""Makes text of a source clean: what no database, workbook or terminal can hold goes out, once, where it comes in.

A JSON answer may hold `"\\ud800"`, half of an emoji, which no UTF-8 can carry, or `"\\u0000"`, which PostgreSQL does
not store. Pure.
"""

import re
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_HALF = re.compile(r"[\ud800-\udfff]")
# The escapes that can bring one into JSON. Without any, the parsed value is clean already and is not walked through.
_ESCAPED = re.compile(rb"\\u(?:00[01189]|007[fF]|[dD][89a-fA-F]|[fF]{3}[eEfF])|[\x7f-\x9f]|\xef\xbf\xbe|\xef\xbf\xbf")


def clean_text(text: str) -> str:
    """The text without control characters, except tab and line breaks; half a surrogate pair becomes U+FFFD."""
    return _HALF.sub("\ufffd", _CONTROL.sub("", text))


def clean_json(value: Any, body: bytes) -> Any:
    """A parsed JSON value with all its texts and keys clean. `body` is what it was parsed from.

    Raises RecursionError for a value that is nested too deeply.
    """
    return _cleaned(value) if _ESCAPED.search(body) else value


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

"""A recipe's regular expressions, run by re2: its time grows with the text's length and never explodes, whatever the
expression and the text are. A page that is made to be slow to match therefore cannot hold a worker.

re2 has no look-ahead and no back-references. Its `\\w`, `\\d` and `\\s` are ASCII's; here they hold for every script,
as people who write “Telefónica” expect.
"""

import re
from functools import lru_cache
from typing import Any

import re2

SEARCHED = 100_000  # characters of a text that a pattern looks at

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # a mistake in a recipe gets a sentence, not a line of the library on stderr
_SETS = {"w": r"\p{L}\p{M}\p{N}_", "d": r"\p{Nd}", "s": r"\s\p{Z}"}
_PIECE = re.compile(r"\\.|\[\^?\]?|\]|[^\\\[\]]+", re.DOTALL)


@lru_cache(maxsize=256)
def pattern(expression: str) -> Any:
    """The compiled pattern. Raises ValueError for what re2 does not know."""
    try:
        return re2.compile(_for_every_script(expression), _OPTIONS)
    except re2.error as error:
        raise ValueError("not a pattern of re2") from error


def first_group(expression: str, text: str) -> str:
    """What the expression's first group matches in the text, or all of it without a group; empty where it does not."""
    match = pattern(expression).search(text[:SEARCHED])
    if match is None:
        return ""
    return (match[1] if match.re.groups else match[0]) or ""


def _for_every_script(expression: str) -> str:
    r"""The expression with `\w`, `\d`, `\s` and their opposites written as Unicode classes. Within brackets `\W`, `\D`
    and `\S` stay ASCII's: an opposite cannot be a part of a class."""
    parts, in_class = [], False
    for piece in _PIECE.findall(expression):
        if piece[0] == "\\" and piece[1:].lower() in _SETS:
            content = _SETS[piece[1:].lower()]
            if in_class:
                piece = content if piece[1].islower() else piece
            else:
                piece = f"[{'' if piece[1].islower() else '^'}{content}]"
        elif piece[0] == "[" and not in_class:
            in_class = True
        elif piece == "]":
            in_class = False
        parts.append(piece)
    return "".join(parts)

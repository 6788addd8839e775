"""Splits a command into its words as a shell does, without running anything: bash and the others on Unix, and cmd on
Windows, as browsers copy a request for them.

A variable stays in its word between two marks, as what stands for a value that the command does not have.
"""

import re

ENV, END = "\ue000", "\ue001"  # around a variable's name; no command has these characters
LONGEST = 100_000  # characters of a command

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "E": "\x1b"}
_ANSI = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|(.))", re.DOTALL)


class BadCommand(ValueError):
    """The command cannot be split. The error's text is a code that the pages have a sentence for."""


def split(command: str) -> tuple[list[str], str]:
    """The words of the first command in a text, and what comes after it, such as a pipe. Raises BadCommand."""
    text = command.replace("\xa0", " ").replace("\r\n", "\n").strip()
    if len(text) > LONGEST:
        raise BadCommand("too_long")
    if '"' not in text and "'" not in text:  # a text program has made them round
        text = re.sub("[“”]", '"', re.sub("[‘’]", "'", text))
    text = re.sub(r"^[$#>]\s+", "", text)
    if re.search(r'\^["\n]|\^\\\^"', text):
        return _windows(text), ""
    return _Bash(text).words()


class _Bash:
    """One pass over a command, as bash reads it."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def words(self) -> tuple[list[str], str]:
        found: list[str] = []
        word: str | None = None
        while self.at < len(self.text):
            rest, letter = self.text[self.at :], self.text[self.at]
            if rest.startswith("\\\n"):
                self.at += 2
            elif letter == "\n" and not self._goes_on():
                break
            elif letter.isspace():
                found, word, self.at = ([*found, word] if word is not None else found), None, self.at + 1
            elif rest.startswith(("$(", "`")):
                raise BadCommand("runs_command")
            elif letter in "|;<>" or (letter == "&" and not self._is_in_address(word)):
                break
            elif letter == "#" and word is None:
                self.at = self.text.find("\n", self.at) if "\n" in rest else len(self.text)
            else:
                word = (word or "") + self._piece(rest, letter)
        after = self.text[self.at :].strip()
        return ([*found, word] if word is not None else found), after

    def _goes_on(self) -> bool:
        """Whether the next line goes on with the options of this one, as somebody has lost the backslash."""
        return bool(re.match(r"\s*(?:-|[\"']?https?://)", self.text[self.at :]))

    def _is_in_address(self, word: str | None) -> bool:
        """Whether an & is part of an address that was written without quotes."""
        after = self.text[self.at + 1 : self.at + 2]
        return bool(word and word.startswith(("http://", "https://")) and after and not after.isspace())

    def _piece(self, rest: str, letter: str) -> str:
        if rest.startswith("$'"):
            return self._quoted_ansi()
        if letter == "'":
            end = self.text.find("'", self.at + 1)
            return self._take(self.text[self.at + 1 : end], end)
        if letter == '"':
            return self._quoted()
        if letter == "\\":
            self.at += 2
            return rest[1:2]
        return self._variable(rest) or self._one()

    def _one(self) -> str:
        self.at += 1
        return self.text[self.at - 1]

    def _variable(self, rest: str) -> str:
        match = _VARIABLE.match(rest)
        if match is None:
            return ""
        self.at += match.end()
        return f"{ENV}{match[1] or match[2]}{END}"

    def _take(self, inside: str, end: int) -> str:
        if end < 0:
            raise BadCommand("open_quote")
        self.at = end + 1
        return inside

    def _quoted(self) -> str:
        self.at += 1
        parts: list[str] = []
        while self.at < len(self.text):
            rest, letter = self.text[self.at :], self.text[self.at]
            if letter == '"':
                self.at += 1
                return "".join(parts)
            if rest.startswith(("$(", "`")):
                raise BadCommand("runs_command")
            if letter == "\\" and rest[1:2] in ('"', "\\", "$", "`", "\n"):
                parts.append("" if rest[1] == "\n" else rest[1])
                self.at += 2
            else:
                parts.append(self._variable(rest) or self._one())
        raise BadCommand("open_quote")

    def _quoted_ansi(self) -> str:
        match = re.compile(r"\$'((?:\\.|[^'\\])*)'", re.DOTALL).match(self.text, self.at)
        if match is None:
            raise BadCommand("open_quote")
        self.at = match.end()
        return _ANSI.sub(_escaped, match[1]).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _escaped(match: re.Match[str]) -> str:
    for digits, base in ((match[1] or match[2] or match[3], 16), (match[4], 8)):
        if digits:
            return chr(min(int(digits, base), 0x10FFFF))
    return _ESCAPES.get(match[5], match[5])


def _windows(text: str) -> list[str]:
    """The words of a command for cmd: without its carets, and then by the rules of the C runtime."""
    text = re.sub(r"\^\n\n?", lambda match: "\n" if match[0].endswith("\n\n") else " ", text)
    text = re.sub(r"\^(.)", r"\1", text, flags=re.DOTALL)
    found: list[str] = []
    word: str | None = None
    quoted, at = False, 0
    while at < len(text):
        slashes = re.compile(r"\\*").match(text, at)
        count = len(slashes[0]) if slashes else 0
        if count and text[at + count : at + count + 1] == '"':
            word = (word or "") + "\\" * (count // 2) + ('"' if count % 2 else "")
            at += count + count % 2
        elif count:
            word, at = (word or "") + "\\" * count, at + count
        elif text[at] == '"':
            twice = quoted and text[at + 1 : at + 2] == '"'
            word, quoted, at = (word or "") + ('"' if twice else ""), quoted == twice, at + 1 + twice
        elif text[at].isspace() and not quoted:
            found, word, at = ([*found, word] if word is not None else found), None, at + 1
        else:
            word, at = (word or "") + text[at], at + 1
    if quoted:
        raise BadCommand("open_quote")
    return [*found, word] if word is not None else found

"""Reads a table of a TOML file key by key. Each wrong value becomes a Mistake with its key and line.

Knows nothing about recipes: only types, bounds and unknown keys.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a recipe. `code` is a key of `words.SENTENCES`, which has the sentence for it."""

    file: str
    key: str  # such as request.timeout
    line: int  # from 1
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class BadRecipe(ValueError):
    """A recipe with at least one mistake."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(", ".join(f"{one.file}:{one.line} {one.key} {one.code}" for one in self.mistakes))


class Lines:
    """Finds the lines of keys in a TOML text. It scans the text, as the standard library's parser gives no lines."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def of(self, table: str, key: str, nth: int = 0) -> int:
        """The line of a key (from 1); the line of its table when the key is missing; 1 when both are."""
        head, start, end = self._table(table, nth)
        pattern = re.compile(rf"""^\s*["']?{re.escape(key)}["']?\s*[.=]""") if key else None
        within = re.compile(rf"""[{{,]\s*["']?{re.escape(key)}["']?\s*=""") if key else None
        for test in filter(None, (pattern, within)):
            for place in range(start, end):
                if test.search(self._lines[place]):
                    return place + 1
        return head

    def _table(self, name: str, nth: int) -> tuple[int, int, int]:
        """The line of a table's head (from 1), and the first and the last line of its keys (from 0, the last one not
        included). An inline table, such as `operator = { path = … }` below [fields], is found as a key of the table
        around it."""
        heads = [
            (place, match[1].replace(" ", ""))
            for place, line in enumerate(self._lines)
            if (match := re.match(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$", line))
        ]
        if not name:
            return 1, 0, heads[0][0] if heads else len(self._lines)
        mine = [place for place, head in heads if head == name]
        if mine:
            begin = mine[min(nth, len(mine) - 1)]
            return begin + 1, begin + 1, next((place for place, _ in heads if place > begin), len(self._lines))
        above, _, own = name.rpartition(".")
        if not own or own == name:
            return 1, 0, len(self._lines)
        line = self.of(above, own, nth)
        return line, line - 1, line


class TomlTable:
    """One table that is being read. A key counts as known once it was read; `end` reports all others."""

    def __init__(
        self, values: Mapping[str, Any], name: str, file: str, lines: Lines, mistakes: list[Mistake], nth: int = 0
    ) -> None:
        self.values = dict(values)
        self.name, self.file, self.lines, self.nth = name, file, lines, nth
        self.mistakes = mistakes
        self._known_keys: set[str] = set()

    def wrong(self, key: str, code: str, **facts: Any) -> None:
        """Record a mistake and continue, so that all of them can be fixed at once."""
        name = f"{self.name}.{key}" if self.name and key else self.name or key
        line = self.lines.of(self.name, key, self.nth)
        self.mistakes.append(Mistake(self.file, name, line, code, facts))

    def has(self, key: str) -> bool:
        return key in self.values

    def raw(self, key: str) -> Any:
        """The value of a key as it is, or None."""
        self._known_keys.add(key)
        return self.values.get(key)

    def text(self, key: str, default: str | None = "") -> str:
        """A text; without a default it must be there and not be empty."""
        value = self.raw(key)
        if value is None:
            if default is None:
                self.wrong(key, "missing")
            return default or ""
        if not isinstance(value, str) or (default is None and not value.strip()):
            self.wrong(key, "not_text")
            return default or ""
        return value

    def one_of(self, key: str, words: tuple[str, ...], default: str | None = None) -> str:
        """One of these words; the first one when the value is another, which is a mistake."""
        value = self.text(key, default)
        if value and value not in words:
            self.wrong(key, "not_one_of", known=", ".join(words))
            return words[0]
        return value or words[0]

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.wrong(key, "not_between", low=f"{low:g}", high=f"{high:g}")
            return default
        return float(value)

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.raw(key)
        if value is not None and not isinstance(value, int):
            self.wrong(key, "not_between", low=low, high=high)
            return default
        return int(self.number(key, default, low, high))

    def yes_no(self, key: str, default: bool) -> bool:
        value = self.raw(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, "not_yes_no")
            return default
        return default if value is None else value

    def texts(self, key: str) -> dict[str, str]:
        """A table of texts, such as headers; a number or true/false becomes the text that it looks like."""
        value = self.raw(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or any(isinstance(v, dict | list) for v in value.values()):
            self.wrong(key, "not_texts")
            return {}
        return {str(k): plain(v) for k, v in value.items()}

    def texts_by_language(self, key: str) -> dict[str, str]:
        """A text, or one text for each language, by language."""
        value = self.raw(key)
        if isinstance(value, str):
            return {"": value}
        return self.texts(key)

    def table(self, key: str) -> "TomlTable | None":
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.wrong(key, "not_table")
            return None
        return self._inner(key, value)

    def tables(self, key: str) -> "list[TomlTable]":
        """A list of tables, written as [[…]] or inline."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.wrong(key, "not_tables")
            return []
        return [self._inner(key, one, nth) for nth, one in enumerate(value)]

    def _inner(self, key: str, value: Mapping[str, Any], nth: int = 0) -> "TomlTable":
        name = f"{self.name}.{key}" if self.name else key
        return TomlTable(value, name, self.file, self.lines, self.mistakes, nth)

    def end(self) -> None:
        """Record a mistake for every key that was not read."""
        for key in self.values:
            if key not in self._known_keys:
                self.wrong(key, "unknown_key", known=", ".join(sorted(self._known_keys)))


def plain(value: Any) -> str:
    """A TOML or JSON value as text: true and false in small letters, whole numbers without a decimal point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)

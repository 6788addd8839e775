"""A table of a TOML file, taken apart key by key. What does not hold becomes a Mistake with its key and line.

It knows no recipe: only types, bounds, and keys that nobody asked for.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mistake:
    """One thing in a recipe that cannot be used. `code` is one of `recipe_words`, which has the sentence."""

    file: str
    key: str  # as in request.timeout
    line: int  # from 1
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class BadRecipe(ValueError):
    """A recipe with at least one mistake."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(", ".join(f"{one.file}:{one.line} {one.key} {one.code}" for one in self.mistakes))


class Lines:
    """Where keys stand in a TOML text. A scan: the parser of the standard library tells no lines."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def of(self, table: str, key: str, nth: int = 0) -> int:
        """The line of a key; of its table where the key is not there; 1 where neither is."""
        home, start, end = self._table(table, nth)
        pattern = re.compile(rf"""^\s*["']?{re.escape(key)}["']?\s*[.=]""") if key else None
        within = re.compile(rf"""[{{,]\s*["']?{re.escape(key)}["']?\s*=""") if key else None
        for test in filter(None, (pattern, within)):
            for place in range(start, end):
                if test.search(self._lines[place]):
                    return place + 1
        return home

    def _table(self, name: str, nth: int) -> tuple[int, int, int]:
        """The line of a table's head, and from where to where its keys stand (places, from 0). A table within a line,
        as `operator = { path = … }` below [fields], is looked for as a key of the table around it."""
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
    """One table that is being read. The first reading of a key says that it belongs there."""

    def __init__(
        self, values: Mapping[str, Any], name: str, file: str, lines: Lines, found: list[Mistake], nth: int = 0
    ) -> None:
        self.values = dict(values)
        self.name, self.file, self.lines, self.nth = name, file, lines, nth
        self.found = found
        self._asked: set[str] = set()

    def wrong(self, key: str, code: str, **facts: Any) -> None:
        """Note a mistake; reading goes on, so that all of them can be put right at once."""
        name = f"{self.name}.{key}" if self.name and key else self.name or key
        line = self.lines.of(self.name, key, self.nth)
        self.found.append(Mistake(self.file, name, line, code, facts))

    def has(self, key: str) -> bool:
        return key in self.values

    def raw(self, key: str) -> Any:
        self._asked.add(key)
        return self.values.get(key)

    def text(self, key: str, default: str | None = "") -> str:
        """A text; without a default it has to be there and not be empty."""
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
        value = self.text(key, default)
        if value and value not in words:
            self.wrong(key, "not_one_of", known=", ".join(words))
            return words[0]
        return value or words[0]

    def number(self, key: str, default: float, low: float, high: float) -> float:
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.wrong(key, "not_between", low=f"{low:g}", high=f"{high:g}")
            return default
        return float(value)

    def whole(self, key: str, default: int, low: int, high: int) -> int:
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
        """A table of texts, as in headers; numbers and true/false count as what they look like."""
        value = self.raw(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or any(isinstance(v, dict | list) for v in value.values()):
            self.wrong(key, "not_texts")
            return {}
        return {str(k): plain(v) for k, v in value.items()}

    def words(self, key: str) -> dict[str, str]:
        """A text, or one text for each language."""
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
        return self._below(key, value)

    def tables(self, key: str) -> "list[TomlTable]":
        """A list of tables, [[…]] or within brackets."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.wrong(key, "not_tables")
            return []
        return [self._below(key, one, nth) for nth, one in enumerate(value)]

    def _below(self, key: str, value: Mapping[str, Any], nth: int = 0) -> "TomlTable":
        name = f"{self.name}.{key}" if self.name else key
        return TomlTable(value, name, self.file, self.lines, self.found, nth)

    def end(self) -> None:
        """Say of every key that nobody asked for that it is not known here."""
        for key in self.values:
            if key not in self._asked:
                self.wrong(key, "unknown_key", known=", ".join(sorted(self._asked)))


def plain(value: Any) -> str:
    """A TOML or JSON value as text: true and false as they are written, whole numbers without a point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)

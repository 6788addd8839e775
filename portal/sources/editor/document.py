"""A recipe's TOML as a document that forms change: its comments, its order and everything that no form knows stay.

Only for a text without mistakes but those of `drafted.INCOMPLETE`: its tables have the types that the loader expects.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.items import AoT, Array, InlineTable, String, StringType, Table, Trivia

from portal.sources.recipes.model import RULE_NAMES


class RecipeDocument:
    """One recipe. Each method changes it in place; `text` is what it has become."""

    def __init__(self, text: str) -> None:
        self._doc: Any = tomlkit.parse(text)

    @property
    def text(self) -> str:
        return tomlkit.dumps(self._doc)

    def value(self, *keys: str) -> Any:
        """The plain value at these keys, or None."""
        found: Any = self._doc
        for key in keys:
            if not isinstance(found, Mapping) or key not in found:
                return None
            found = found[key]
        return found.unwrap() if hasattr(found, "unwrap") else found

    def set(self, section: str, key: str, value: Any) -> None:
        """Set a key of a section, or of the top with an empty one; None takes it away."""
        if value is None:
            table = self._doc if not section else self._doc.get(section)
            if table is not None and key in table:
                del table[key]
                if section and not len(table):
                    del self._doc[section]
            return
        table = self._doc if not section else self._section(section)
        if not section and key not in table:
            self._add_on_top(key, value)
        elif self.value(*((section, key) if section else (key,))) != value:
            table[key] = _inline(value)

    def _add_on_top(self, key: str, value: Any) -> None:
        """Add a key above all tables: after them it would be one of the last one's."""
        item = tomlkit.item(_inline(value))
        last = None
        for name, known in self._doc.items():
            if not isinstance(known, Table | AoT):
                last = name
        if last is None:
            text = f"{key} = {item.as_string()}\n" + self.text
        else:
            body, line = self.text.splitlines(keepends=True), 0
            plain = tomlkit.document()
            for place in range(len(body)):
                plain_text = "".join(body[: place + 1])
                try:
                    plain = tomlkit.parse(plain_text)
                except Exception:  # noqa: S112 - the middle of a value
                    continue
                if last in plain and not any(isinstance(one, Table | AoT) for one in plain.values()):
                    line = place + 1
                    break
            text = "".join([*body[:line], f"{key} = {item.as_string()}\n", *body[line:]])
        self._doc = tomlkit.parse(text)

    def _section(self, name: str) -> Any:
        if name not in self._doc:
            self._doc.append(name, tomlkit.table())
        return self._doc[name]

    # ── the request before, and polling ────────────────────────────────────────────────────────────────────────────

    @property
    def before(self) -> dict[str, Any]:
        """The first request before; empty without one."""
        return next(iter(self.value("before") or []), {})

    def set_before(self, values: Mapping[str, Any] | None) -> None:
        """Put a request in the place of the first one before; None takes it away."""
        known = self._doc.get("before")
        if isinstance(known, AoT) and len(known):
            if values is None:
                del known[0]
                if not len(known):
                    del self._doc["before"]
                return
            _fill(known[0], values)
        elif values is not None:
            tables = tomlkit.aot()
            table = tomlkit.table()
            _fill(table, values)
            tables.append(table)
            self._doc.append("before", tables)

    def set_poll(self, values: Mapping[str, Any] | None) -> None:
        """Set how the answers of a batch are fetched; None: they come at once."""
        if values is None:
            self.set("batch", "poll", None)
            return
        batch = self._section("batch")
        if "poll" not in batch:
            batch.append("poll", tomlkit.table())
        _fill(batch["poll"], values)

    # ── fields ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def fields(self) -> dict[str, Any]:
        return dict(self.value("fields") or {})

    def set_field(self, name: str, values: Mapping[str, Any], *, new_name: str = "") -> None:
        """Add or change a field. `values`: keys of a field; None takes one away. With `new_name` it is renamed."""
        fields = self._section("fields")
        known = fields.get(name)
        if isinstance(known, InlineTable | Table) and not new_name:
            for key, value in values.items():
                if value is None:
                    known.pop(key, None)
                elif known.get(key) != value:
                    known[key] = _inline(value)
            return
        now = {} if known is None else {"path": known} if isinstance(known, str) else dict(known.unwrap())
        now = {key: value for key, value in {**now, **values}.items() if value is not None}
        if not new_name or new_name == name:
            fields[name] = _inline(now)
            return
        order = [(key, fields[key]) for key in fields]
        for key, _ in order:
            del fields[key]
        for key, item in order:
            fields[new_name if key == name else key] = _inline(now) if key == name else item

        self._expect_instead(name, new_name)

    def remove_field(self, name: str) -> None:
        self.set("fields", name, None)
        self._expect_instead(name, "")

    def _expect_instead(self, name: str, new_name: str) -> None:
        """Let the tests expect a field under its new name, or no more."""
        for one in self._doc.get("test", ()):
            if name in one.get("expect", ()):
                expected = one["expect"].pop(name)
                if new_name:
                    one["expect"][new_name] = expected

    # ── tests ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def set_tests(self, cases: Sequence[Mapping[str, Any]]) -> None:
        """Put these tests in the place of those whose answer is in the recipe. Tests with an answer in a file stay,
        without what they expect of fields that are gone."""
        known = self._doc.get("test")
        kept = [one for one in known if "answer" not in one] if isinstance(known, AoT) else []
        for one in kept:
            for name in [name for name in one.get("expect", {}) if name not in self.fields]:
                del one["expect"][name]
        if known is not None:
            del self._doc["test"]
        if not kept and not cases:
            return
        tests = tomlkit.aot()
        for one in kept:
            tests.append(one)
        for case in cases:
            table = tomlkit.table()
            for key, value in case.items():
                table.append(key, _long_text(value) if key == "answer" else _inline(value))
            tests.append(table)
        self._doc.append("test", tests)

    # ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def rules(self) -> list[tuple[str, int, dict[str, Any]]]:
        """All rules: the name of the outcome, which one of it, and what it says."""
        outcome = self.value("outcome") or {}
        return [(name, nth, rule) for name in RULE_NAMES for nth, rule in enumerate(outcome.get(name, []))]

    def add_rule(self, name: str, rule: Mapping[str, Any]) -> None:
        """Add a rule, unless the same is there."""
        outcome = self._section("outcome")
        if dict(rule) in (self.value("outcome", name) or []):
            return
        known = outcome.get(name)
        if isinstance(known, AoT):
            table = tomlkit.table()
            table.update(rule)
            known.append(table)
        elif isinstance(known, Array):
            known.append(_inline(dict(rule)))
        else:
            rules = tomlkit.array()
            rules.append(_inline(dict(rule)))
            outcome[name] = rules

    def remove_rule(self, name: str, nth: int) -> None:
        """Take a rule away; one that is not there already is no mistake."""
        known = self._doc.get("outcome", {}).get(name)
        if known is None or not 0 <= nth < len(known):
            return
        del known[nth]
        if not len(known):
            self.set("outcome", name, None)


def new_document(
    name: str, titles: Mapping[str, str], request: Mapping[str, Any], batch: Mapping[str, Any] | None
) -> RecipeDocument:
    """A recipe with a request and no field yet. `titles` are by language."""
    doc = tomlkit.document()
    doc.add("name", tomlkit.item(name))
    doc.add("title", _inline(dict(titles)))
    doc.add("kind", tomlkit.item("batch" if batch else "json"))
    table = tomlkit.table()
    for key, value in request.items():
        table.add(key, _inline(value))
    doc.add(tomlkit.nl())
    doc.add("request", table)
    if batch:
        table = tomlkit.table()
        for key, value in batch.items():
            table.add(key, _inline(value))
        doc.add("batch", table)
    return RecipeDocument(tomlkit.dumps(doc))


def _fill(table: Any, values: Mapping[str, Any]) -> None:
    """Give a table these values and no others."""
    for key in [key for key in table if key not in values]:
        del table[key]
    for key, value in values.items():
        if key not in table or table[key] != value:
            table[key] = _inline(value)


def _long_text(text: str) -> Any:
    """A text as it is, in lines of its own, where TOML can have it so."""
    if "\n" not in text and "'" not in text:
        return _inline(text)
    is_plain = text.replace("\n", "").replace("\t", "").isprintable()
    if "'''" in text or text.endswith("'") or not is_plain:
        return tomlkit.item(text)
    return String(StringType.MLL, text, f"\n{text}", Trivia())


def _inline(value: Any) -> Any:
    """A value as TOML writes it in one line; texts with quotes or backslashes literally, where that is possible."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, one in value.items():
            table.append(key, _inline(one))
        return table
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        for one in value:
            array.append(_inline(one))
        return array
    if isinstance(value, str) and ('"' in value or "\\" in value) and "'" not in value and value.isprintable():
        return tomlkit.string(value, literal=True)
    return tomlkit.item(value)

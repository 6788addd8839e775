"""From a pasted command to the text of a recipe that can ask: its request, its secrets apart, its number in braces."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from portal.config import SETTINGS
from portal.sources.editor import number_finder, request_text
from portal.sources.editor.document import RecipeDocument, new_document
from portal.sources.editor.pasted_request import NotRead, PastedRequest
from portal.sources.editor.secret_finder import CLOSE, NAMELESS, OPEN, SecretFinder, finished, prefix_of

BATCH_SIZE = 50
PORTAL_SETTINGS = frozenset(setting.name for setting in SETTINGS)


@dataclass(frozen=True)
class Pasted:
    """What a command comes to. `secrets`: their values by name, empty where a person has to enter one; `numbers`: those
    of the command, in E.164; `left_out`: pairs of a code and what it is about."""

    text: str
    name: str
    secrets: dict[str, str]
    numbers: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def read(command: str, country: str, taken_secrets: Collection[str] = (), number: str = "") -> Pasted:
    """Read a command. `number` is what a person says the number is, as the command has it. Raises NotRead, also for a
    command without a number."""
    found = request_text.read(command)
    name = prefix_of(found.url)
    finder = SecretFinder(name, {*taken_secrets, *PORTAL_SETTINGS})
    numbered = number_finder.find(_hidden(finder, found, number), country, number)
    if not numbered.form:
        raise NotRead("no_number")
    request = request_of(numbered.request)
    batch = _batch(numbered)
    numbers = tuple(dict.fromkeys(one for one in (numbered.number, *numbered.others) if one))
    title = name.replace("-", " ").title()
    titles = {"en": title, "es": title} if name != NAMELESS else {"en": "New source", "es": "Fuente nueva"}
    document = new_document(name, titles, request, batch)
    return Pasted(document.text, name, finder.values, numbers, tuple(found.left_out))


def named(found: Pasted, taken: Collection[str]) -> str:
    """The text with a name that is not taken."""
    name, number = found.name, 2
    while name in taken:
        name, number = f"{found.name}-{number}", number + 1
    document = RecipeDocument(found.text)
    document.set("", "name", name)
    return document.text


def _hidden(finder: SecretFinder, found: PastedRequest, number: str) -> PastedRequest:
    """The request without its secrets. A number looks like no secret, whatever the name beside it says."""
    hidden = finder.take_out(found)
    digits = re.sub(r"\D", "", number)
    for name, value in list(finder.values.items()):
        if digits and re.sub(r"[+ ().\-]", "", value) == digits:
            mark = f"{OPEN}secret:{name}{CLOSE}"
            hidden.url, hidden.body = hidden.url.replace(mark, value), hidden.body.replace(mark, value)
            del finder.values[name]
    return hidden


def request_of(found: PastedRequest) -> dict[str, Any]:
    """The table of a request whose secrets and number are marks."""
    request: dict[str, Any] = {"url": finished(found.url)}
    if found.method != "GET":
        request["method"] = found.method
    headers = {name: finished(text) for name, text in found.headers}
    if found.body and headers.get("Content-Type") == "application/json":
        headers.pop("Content-Type")  # what a body is without it
    if headers:
        request["headers"] = headers
    if found.body:
        request["body"] = finished(found.body)
    if found.timeout:
        request["timeout"] = found.timeout
    if found.redirects:
        request["redirects"] = 3
    return request


def _batch(numbered: number_finder.FoundNumber) -> dict[str, Any] | None:
    if not numbered.many:
        return None
    batch: dict[str, Any] = {"size": BATCH_SIZE, "items": "@", "key": "@"}
    if numbered.each:
        batch["each"] = numbered.each
    elif numbered.form in ("digits", "national"):
        batch["number"] = numbered.form
    if numbered.many == "numbers" and numbered.join != ",":
        batch["join"] = numbered.join
    return batch

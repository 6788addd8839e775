"""The request that signs in, `[[before]]`: from a pasted command to its table, and what of its answer is the token.

An answer that signs in is itself a secret: only its outline is ever kept or shown.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.sources.editor import curl
from portal.sources.editor.answer_tree import step
from portal.sources.editor.pasting import PORTAL_SETTINGS, request_of
from portal.sources.editor.secret_finder import SecretFinder, prefix_of

TOKEN = "token"  # noqa: S105 - the name under which later requests have it
USUAL_PATH, USUAL_KEEP = "access_token", "25 min"
SHOWN = 3  # letters of a text in an answer; a token's beginning tells it from other texts
_TOKEN_NAMED = re.compile(
    r"(?:access|auth|id|session|bearer|api)?[_-]?(?:token|jwt)|access|ticket|session(?:id)?", re.IGNORECASE
)
_SPAN_NAMED = re.compile(r"expires?(?:[_-]?in)?|ttl|valid(?:ity|[_-]?for)?|lifetime|duration", re.IGNORECASE)


@dataclass(frozen=True)
class PastedLogin:
    """What a command comes to. `secrets`: their values by name, empty where a person has to enter one."""

    table: dict[str, Any]
    secrets: dict[str, str]
    left_out: tuple[tuple[str, str], ...]


def read_login(command: str, taken_secrets: Collection[str] = ()) -> PastedLogin:
    """Read a command that signs in. Raises curl.NotRead."""
    found = curl.read(command)
    finder = SecretFinder(prefix_of(found.url), {*taken_secrets, *PORTAL_SETTINGS})
    table = request_of(finder.take_out(found))
    table |= {"take": {TOKEN: USUAL_PATH}, "keep": USUAL_KEEP}
    return PastedLogin(table, finder.values, tuple(found.left_out))


def outline(body: bytes) -> bytes:
    """The answer with the beginning of each text only, as JSON; of what is no JSON nothing but its length."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return json.dumps({"": f"({len(body)} B)"}).encode()
    return json.dumps(_outlined(content), ensure_ascii=False).encode()


def _outlined(value: Any, depth: int = 0) -> Any:
    if depth > 20:
        return "…"
    if isinstance(value, dict):
        return {key: _outlined(one, depth + 1) for key, one in list(value.items())[:200]}
    if isinstance(value, list):
        return [_outlined(one, depth + 1) for one in value[:20]]
    if isinstance(value, str) and len(value) > 2 * SHOWN:
        return f"{value[:SHOWN]}… ({len(value)})"
    return value


def token_path(content: Any) -> str:
    """Where an answer most likely has its token, as JMESPath; empty where nothing looks like one."""
    texts = [(path, name, value) for path, name, value in _leaves(content) if isinstance(value, str)]
    named = [(path, value) for path, name, value in texts if _TOKEN_NAMED.fullmatch(name)]
    best = sorted(named, key=lambda one: (-one[1].count("("), len(one[0])))  # a long text first
    return best[0][0] if best else ""


def span_path(content: Any) -> str:
    """Where an answer says for how many seconds its token is valid, as JMESPath; empty where it does not."""
    found = [path for path, name, value in _leaves(content) if _SPAN_NAMED.fullmatch(name) and _is_span(value)]
    return found[0] if found else ""


def _is_span(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 30 <= value <= 40_000_000


def _leaves(content: Any, path: str = "", name: str = "", depth: int = 0) -> Iterator[tuple[str, str, Any]]:
    if isinstance(content, Mapping) and depth < 8:
        for key, value in content.items():
            yield from _leaves(value, step(path, key), key, depth + 1)
    elif path and not isinstance(content, list):
        yield path, name, content


def learned(before: Mapping[str, Any], content: Any) -> dict[str, Any]:
    """The table with its token and its span where the answer has them, as far as what it says fits nothing."""
    found = dict(before)
    known = [path for path, _, value in _leaves(content) if isinstance(value, str)]
    take = dict(found.get("take") or {})
    if take.get(TOKEN) not in known and (path := token_path(content)):
        found["take"] = {**take, TOKEN: path}
    if found.get("keep") == USUAL_KEEP and (path := span_path(content)):
        found["keep"] = {"path": path}
    return found


def with_token(text: str, secret: str) -> str:
    """A text of the request with the token in the place of a secret."""
    return text.replace(f"{{secret:{secret}}}", f"{{{TOKEN}}}")

"""The request that signs in, `[[before]]`: from a pasted command to its table, what of its answer is the token, and
where the lookup's own request has it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from portal.sources.editor import request_text
from portal.sources.editor.document import RecipeDocument
from portal.sources.editor.login_outline import LoginOutline
from portal.sources.editor.pasting import PORTAL_SETTINGS, request_of
from portal.sources.editor.secret_finder import SecretFinder, prefix_of
from portal.sources.recipes.answer_section import SHORT_FORMS
from portal.sources.recipes.model import VALUES

TOKEN = "token"  # noqa: S105 - the name under which later requests have it
USUAL_PATH, USUAL_KEEP = "access_token", "25 min"


@dataclass(frozen=True)
class PastedLogin:
    """What a command comes to. `secrets`: their values by name, empty where a person has to enter one."""

    table: dict[str, Any]
    secrets: dict[str, str]
    left_out: tuple[tuple[str, str], ...]


def read_login(command: str, taken_secrets: Collection[str] = ()) -> PastedLogin:
    """Read a command that signs in. Raises NotRead."""
    found = request_text.read(command)
    finder = SecretFinder(prefix_of(found.url), {*taken_secrets, *PORTAL_SETTINGS})
    table = request_of(finder.take_out(found))
    table |= {"take": {TOKEN: USUAL_PATH}, "keep": USUAL_KEEP}
    return PastedLogin(table, finder.values, tuple(found.left_out))


def place_of_token(before: Mapping[str, Any]) -> dict[str, str]:
    """Where the table says that its answer has the token, as the place of a row; empty where it does not."""
    if before.get("cookies") and TOKEN not in (before.get("take") or {}):
        return {"cookie": ""}
    take = (before.get("take") or {}).get(TOKEN)
    if isinstance(take, Mapping):
        return {key: text for key, text in take.items() if key in ("path", "css", "xpath", "regex", "header")}
    return {SHORT_FORMS.get(before.get("format", "json"), "path"): take} if take else {}


def with_token_at(before: Mapping[str, Any], place: Mapping[str, str], form: str) -> dict[str, Any]:
    """The table that takes its token from this place of an answer in this format; of a cookie: that lets all cookies go
    with the later requests."""
    found = dict(before)
    take = {name: one for name, one in (before.get("take") or {}).items() if name != TOKEN}
    cookies = before.get("cookies") if TOKEN in (before.get("take") or {}) else None  # beside a token they stay
    if "cookie" in place:
        found |= {"cookies": True, "take": take or None}
    elif "header" in place:
        found |= {"cookies": cookies, "take": {**take, TOKEN: dict(place)}}
    else:
        short = SHORT_FORMS.get(form, "path")
        found |= {
            "cookies": cookies,
            "format": None if form == "json" else form,
            "take": {**take, TOKEN: place[short] if list(place) == [short] else dict(place)},
        }
    return {key: value for key, value in found.items() if value is not None}


def learned(before: Mapping[str, Any], answer: LoginOutline) -> dict[str, Any]:
    """The table with its token and its span where the answer has them, as far as what it says fits nothing."""
    found, known = dict(before), place_of_token(before)
    is_there = answer.has(known) and ("header" in known or before.get("format", "json") == answer.format)
    if not (is_there or (answer.sets_cookies and "cookie" in known)):
        place = answer.token or ({"cookie": ""} if answer.sets_cookies else None)
        found = with_token_at(before, place, answer.format) if place else found
    if found.get("keep") == USUAL_KEEP and answer.span:
        if answer.format in VALUES and "path" in answer.span and found.get("format", "json") == answer.format:
            found["keep"] = {"path": answer.span["path"]}
        else:
            seconds = answer.seconds * 9 // 10
            found["keep"] = f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"
    return found


def use_token(document: RecipeDocument, secret: str = "") -> None:
    """Put the token in the place of a secret of the request; without one, where most providers want it."""

    def put(text: str) -> str:
        return text.replace(f"{{secret:{secret}}}", f"{{{TOKEN}}}") if secret else text

    _change_texts(document, put)
    headers = dict(document.value("request", "headers") or {})
    if not _has_token(document):
        document.set("request", "headers", {**headers, "Authorization": f"Bearer {{{TOKEN}}}"})


def without_token(document: RecipeDocument) -> None:
    """Let the request go without the token, as cookies sign in: the headers that have it are left out."""
    headers = document.value("request", "headers") or {}
    kept = {name: text for name, text in headers.items() if f"{{{TOKEN}}}" not in text}
    document.set("request", "headers", kept or None)


def put_back_secret(document: RecipeDocument) -> None:
    """Let the request have a key again in the place of the token."""
    name = f"{(document.value('name') or 'source').upper().replace('-', '_')}_TOKEN"
    _change_texts(document, lambda text: text.replace(f"{{{TOKEN}}}", f"{{secret:{name}}}"))


def _change_texts(document: RecipeDocument, change: Callable[[str], str]) -> None:
    for key in ("url", "body"):
        if text := document.value("request", key):
            document.set("request", key, change(text))
    headers = document.value("request", "headers") or {}
    document.set("request", "headers", {name: change(text) for name, text in headers.items()} or None)


def _has_token(document: RecipeDocument) -> bool:
    texts = [document.value("request", key) or "" for key in ("url", "body")]
    return any(f"{{{TOKEN}}}" in text for text in (*texts, *(document.value("request", "headers") or {}).values()))

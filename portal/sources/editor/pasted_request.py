"""A request that was pasted, however it was written: method, address, headers, body; and what is the same for each way
of writing it. Runs nothing of it.

What cannot be a part of a recipe is named in `left_out`, or ends in NotRead with a code that the pages have a sentence
for.
"""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from portal.sources.editor.shell_words import ENV

FORM = "application/x-www-form-urlencoded"
# What a browser adds for its own purposes, or the portal's client sends itself.
NOISE = re.compile(
    r"host|connection|content-length|accept-encoding|transfer-encoding|te|priority|dnt|pragma|cache-control|origin|"
    r"referer|user-agent|accept-language|upgrade-insecure-requests|if-.+|sec-.+|proxy-.+|keep-alive|expect|x-client-data",
    re.IGNORECASE,
)


class NotRead(ValueError):
    """The text is no command that can be read. `code` has a sentence on the pages, with `what` in it."""

    def __init__(self, code: str, what: str = "") -> None:
        super().__init__(code)
        self.code, self.what = code, what[:80]


@dataclass
class PastedRequest:
    """A request as the command has it, its secrets included. `left_out`: pairs of a code and what it is about."""

    url: str = ""
    method: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""
    user: str = ""  # user:password
    cookie: str = ""
    redirects: bool = False
    timeout: float | None = None
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str:
        return next((text for known, text in self.headers if known.lower() == name), "")

    def add_header(self, name: str, value: str) -> None:
        """Add a header, or leave out one that only a browser needs. Raises NotRead."""
        name, value = name.strip(), value.strip()
        if any(ord(letter) < 32 for letter in name + value):
            raise NotRead("broken_header", name)
        if name.lower() == "cookie":
            self.cookie = value
        elif NOISE.fullmatch(name):
            self.left_out.append(("noise", name))
        elif re.fullmatch(r"[A-Za-z0-9_-]+", name) and value:
            self.headers.append((name, value))
        else:
            raise NotRead("broken_header", name)


def finished(found: PastedRequest, data: Sequence[str] = (), *, get: bool = False) -> PastedRequest:
    """The request with its data, with what a client adds by itself. Raises NotRead."""
    body = "&".join(data)
    found.url = found.url.strip().partition("#")[0]
    if "://" not in found.url:
        found.url = f"https://{found.url}"
    _take_user(found)
    parts = urlsplit(re.sub(r"[{}<>\[\]]", "x", found.url))
    if parts.scheme not in ("http", "https") or not parts.hostname or ENV in parts.netloc:
        raise NotRead("bad_address", found.url.partition("?")[0])
    if not parts.path and "?" not in found.url:
        found.url += "/"
    if get and body:
        found.url += ("&" if "?" in found.url else "?") + body
        body = ""
    found.body = body
    found.method = found.method or ("POST" if body else "GET")
    if found.method not in ("GET", "POST"):
        raise NotRead("method", found.method)
    if found.method == "GET" and body:
        raise NotRead("body_with_get")
    if body and not found.header("content-type"):
        found.headers.append(("Content-Type", "application/json" if is_json(body) else FORM))
    return found


def _take_user(found: PastedRequest) -> None:
    """User and password out of the address, where a recipe has none."""
    start, _, rest = found.url.partition("://")
    host, slash, path = rest.partition("/")
    if "@" in host:
        user, _, host = host.rpartition("@")
        found.user = found.user or unquote(user)
        found.url = f"{start}://{host}{slash}{path}"


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def basic(user: str) -> str:
    """What Basic makes of user:password."""
    return base64.b64encode(user.encode()).decode()

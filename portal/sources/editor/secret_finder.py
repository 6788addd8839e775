"""Takes the secrets out of a pasted request, and puts placeholders in their place.

A value is a secret by the name beside it (Authorization, a key, a token, a password, a cookie) or because it looks like
one: long, and with both letters and digits. While a request is being read, a placeholder is a mark that no command can
contain, so that braces in the request's own text can be doubled afterwards.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection
from urllib.parse import unquote, unquote_plus, urlsplit

from portal.sources.editor.pasted_request import FORM, PastedRequest, basic
from portal.sources.editor.shell_words import END, ENV
from portal.sources.recipes.placeholders import PLACEHOLDER

NAMELESS = "source"  # of an address that is a number
OPEN, CLOSE = "\ue002", "\ue003"  # around what will be in braces
_MARK = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
_NAME = re.compile(
    r"(?:^|[-_.\s])(?:auth(?:orization)?|keys?|apikey|tokens?|secret|pass(?:word|wd|phrase)?|pwd|credentials?|session(?:id)?|"
    r"sid|appid|clave|contrase(?:ñ|n)a|signature|sig|hash|licen[cs]e|jwt|access|bearer|code)(?:$|[-_.\s])",
    re.IGNORECASE,
)
_USER_NAME = re.compile(r"(?:user(?:name)?|login|usuario|account|client[-_]?id|accountsid)", re.IGNORECASE)
# What documentation has in a key's place.
_TO_FILL_IN = re.compile(
    r"<[^<>]*(?:key|token|secret|pass|user|sid|clave|auth)[^<>]*>|"
    r"\{+[A-Za-z_-]*(?:key|token|secret|pass|user|sid|auth|id)[A-Za-z_-]*\}+|"
    r"\[[^\[\]]*(?:key|token|secret|password)[^\[\]]*\]|"
    r"(?:your|my|tu|mi)[-_. ]?[a-z_.-]*(?:key|token|secret|password|sid|user|clave)[a-z_.-]*|x{6,}|\*{4,}|"
    r"(?:api|access|auth|client|bearer)[-_ ]?(?:key|token|secret|id|password)",
    re.IGNORECASE,
)
_LOOKS_LIKE_ONE = re.compile(r"(?=[^a-zA-Z]*[a-zA-Z])(?=[^0-9]*[0-9])[A-Za-z0-9_\-+/=.~]{20,}")
_ENV = re.compile(f"{ENV}(\\w+){END}")
_PLAIN_WORDS = re.compile(
    r"(?:application|text)/.*|true|false|null|none|json|xml|[a-z]{2}([-_][A-Z]{2})?", re.IGNORECASE
)


def mark(inside: str) -> str:
    """A placeholder, as long as the request is being read."""
    return f"{OPEN}{inside}{CLOSE}"


def finished(text: str) -> str:
    """The text of a recipe: braces of its own are doubled where they would be a placeholder, marks are in braces."""
    return _MARK.sub(
        r"{\1}", PLACEHOLDER.sub(lambda match: match[0] if match[0].startswith("{{") else f"{{{match[0]}}}", text)
    )


class SecretFinder:
    """Gives each secret of one request a name that is free. `values` has them; an empty one is for a person to fill in.
    `taken` are names that other secrets or settings have."""

    def __init__(self, prefix: str, taken: Collection[str]) -> None:
        self.prefix, self._taken = re.sub(r"\W+", "_", prefix).upper().strip("_") or "SOURCE", set(taken)
        self.values: dict[str, str] = {}

    def take_out(self, found: PastedRequest) -> PastedRequest:
        """The same request with marks instead of its secrets."""
        headers = [(name, self._header(name, text)) for name, text in found.headers]
        if found.user:
            headers.append(("Authorization", f"Basic {self._basic(found.user)}"))
        if found.cookie:
            headers.append(("Cookie", self._mark("COOKIE", found.cookie)))
        body = self._body(found.body, found.header("content-type"))
        return PastedRequest(
            self._address(found.url), found.method, headers, body, redirects=found.redirects, timeout=found.timeout,
            left_out=found.left_out,
        )  # fmt: skip

    def _mark(self, what: str, value: str, pipes: str = "") -> str:
        return mark(f"secret:{self.name_of(what, value)}{pipes}")

    def name_of(self, what: str, value: str) -> str:
        """The name of a secret: the one that the same value has already, or a free one."""
        variable = _ENV.fullmatch(value.strip())
        fill_in = variable is not None or _is_to_fill_in(value)
        for name, known in self.values.items():
            if known and known == value:
                return name
        wanted = re.sub(r"[^A-Z0-9]+", "_", what.upper()).strip("_") or "KEY"
        name = wanted if wanted.startswith(self.prefix) else f"{self.prefix}_{wanted}"
        name = name[:90]
        if fill_in and name in self.values:
            return name
        number = 2
        while name in self._taken or name in self.values:
            name, number = f"{name.rstrip('0123456789').rstrip('_')}_{number}", number + 1
        self.values[name] = "" if fill_in else value
        return name

    def _basic(self, user: str) -> str:
        name, colon, password = user.partition(":")
        if not name or (not password and colon):
            return self._mark("BASIC", basic(user))
        own, other = self.name_of("USER", name), self.name_of("PASSWORD", password) if password else ""
        return mark(f"secret:{own}|basic:{other}") if other else mark(f"secret:{own}")

    def _header(self, name: str, text: str) -> str:
        scheme, _, value = text.partition(" ")
        if name.lower() == "authorization" and scheme.lower() == "basic" and value:
            try:
                return f"Basic {self._basic(base64.b64decode(value, validate=True).decode())}"
            except (binascii.Error, UnicodeDecodeError):
                return f"Basic {self._mark('BASIC', value)}"
        if name.lower() == "authorization":
            kind = "TOKEN" if scheme.lower() == "bearer" else "KEY"
            return f"{scheme} {self._mark(kind, value)}" if value else self._mark("KEY", text)
        if self.is_secret(name, text):
            return self._mark(_short(name), text)
        return text

    def is_secret(self, name: str, value: str) -> bool:
        """Whether a value is one, by the name beside it or by its own look."""
        value = value.strip()
        if _ENV.search(value) or _is_to_fill_in(value):
            return True
        if len(value) < 3 or _PLAIN_WORDS.fullmatch(value) or re.fullmatch(r"https?://.*", value):
            return False
        spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", name)  # apiKey
        if _NAME.search(spaced) or re.search(r"(?:key|token|secret|password)s?$", name, re.IGNORECASE):
            return not re.fullmatch(r"\d{1,3}", value)
        return bool(_LOOKS_LIKE_ONE.fullmatch(value)) and not value.replace(".", "").isdigit()

    def _address(self, url: str) -> str:
        start, question, query = url.partition("?")
        host_end = start.index("/", start.index("://") + 3) if "/" in start.partition("://")[2] else len(start)
        host, path = start[:host_end], start[host_end:]
        parts = []
        for part in path.split("/"):
            value = unquote(part)
            parts.append(self._mark("ID", value) if part and self.is_secret("", value) else part)
        return host + "/".join(parts) + question + (self._pairs(query, unquote_plus) if query else "")

    def _pairs(self, text: str, decoded: Callable[[str], str]) -> str:
        pairs = [part.partition("=") for part in text.split("&")]
        is_login = any(self.is_secret(decoded(name), decoded(value)) for name, _, value in pairs)
        found = []
        for name, sign, raw in pairs:
            value, word = decoded(raw), decoded(name)
            hidden = value and (self.is_secret(word, value) or (is_login and _USER_NAME.fullmatch(word)))
            found.append(f"{name}{sign}{self._mark(_short(word), value) if hidden else raw}")
        return "&".join(found)

    def _body(self, body: str, kind: str) -> str:
        if not body:
            return ""
        if kind.partition(";")[0].strip().lower() == FORM:
            return self._pairs(body, unquote_plus)
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return self._elements(body)
        found = list(_leaves(content))
        is_login = any(self.is_secret(name, value) for name, value in found)
        for name, value in found:
            if self.is_secret(name, value) or (is_login and _USER_NAME.fullmatch(name)):
                mark_of_it = self._mark(_short(name), value)
                for written in {json.dumps(value), json.dumps(value, ensure_ascii=False)}:
                    body = body.replace(written, f'"{mark_of_it}"')
        return body

    def _elements(self, body: str) -> str:
        """XML: elements and attributes whose names are those of a secret."""

        def hide(match: re.Match[str]) -> str:
            before, name, between, value, after = match.groups()
            if not self.is_secret(name, value) and not _USER_NAME.fullmatch(name):
                return match[0]
            return f"{before}{name}{between}{self._mark(_short(name), value)}{after}"

        body = re.sub(r"(<(?:\w+:)?)(\w+)([^<>/]*>)([^<>]+)(</)", hide, body)
        return re.sub(r"(\s)(\w+)(=\")([^\"<>]*)(\")", lambda m: hide(m) if _NAME.search(m[2]) else m[0], body)


def _is_to_fill_in(value: str) -> bool:
    """Whether it is what documentation has in a key's place, such as YOUR_API_KEY."""
    return len(value) <= 100 and _TO_FILL_IN.fullmatch(value.strip()) is not None


def _leaves(content: object, name: str = "") -> list[tuple[str, str]]:
    if isinstance(content, dict):
        return [leaf for key, value in content.items() for leaf in _leaves(value, str(key))]
    if isinstance(content, list):
        return [leaf for value in content for leaf in _leaves(value, name)]
    return [(name, content)] if isinstance(content, str) else []


def _short(name: str) -> str:
    """A header's or a parameter's name as a part of a secret's: X-Api-Key is API_KEY."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", name)
    return re.sub(r"^x[-_]", "", spaced, flags=re.IGNORECASE)


def prefix_of(url: str) -> str:
    """A short name for whom an address belongs to: example for https://api.example.co.uk/."""
    host = urlsplit(re.sub(r"[{}<>\[\]]", "x", url)).hostname or ""
    labels = [one for one in host.split(".") if one]
    if not labels or re.fullmatch(r"[\d.:]+", host):
        return NAMELESS
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in ("co", "com", "org", "net", "gob", "gov"):
        labels = labels[:-1]
    return re.sub(r"[^a-z0-9-]", "", labels[-2] if len(labels) > 1 else labels[0]).strip("-") or NAMELESS

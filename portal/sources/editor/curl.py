"""Reads a curl command, or an address alone, as a request: method, address, headers, body. Runs nothing of it.

What cannot be a part of a recipe is named in `left_out`, or ends in NotRead with a code that the pages have a sentence
for.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from urllib.parse import quote_plus, unquote, urlsplit

from portal.sources.editor.shell_words import ENV, BadCommand, split

FORM = "application/x-www-form-urlencoded"
# What a browser adds for its own purposes, or the portal's client sends itself.
NOISE = re.compile(
    r"host|connection|content-length|accept-encoding|transfer-encoding|te|priority|dnt|pragma|cache-control|origin|"
    r"referer|user-agent|accept-language|upgrade-insecure-requests|if-.+|sec-.+|proxy-.+|keep-alive|expect|x-client-data",
    re.IGNORECASE,
)
# Options by what they mean, those without a value first.
QUIET = frozenset((
    "-s", "--silent", "-S", "--show-error", "-i", "--include", "-v", "--verbose", "--compressed", "-g", "--globoff",
    "-#", "--progress-bar", "-f", "--fail", "--fail-with-body", "-N", "--no-buffer", "--http1.1", "--http2",
    "--http1.0", "--http3", "-O", "--remote-name", "-4", "--ipv4", "-6", "--ipv6", "--tlsv1.2", "--tlsv1.3", "--basic",
    "-q", "--no-keepalive", "--path-as-is", "--http2-prior-knowledge", "--ssl-reqd", "--tr-encoding", "-J", "-1",
))  # fmt: skip
QUIET_WITH_VALUE = frozenset((
    "-o", "--output", "-w", "--write-out", "--retry", "--retry-delay", "--retry-max-time", "-D", "--dump-header", "-c",
    "--cookie-jar", "--connect-timeout", "-A", "--user-agent", "-e", "--referer", "--max-redirs", "--limit-rate",
    "--stderr", "--trace", "--trace-ascii", "--resolve",
))  # fmt: skip
DATA = frozenset(("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json"))
SHORT_WITH_VALUE = "XHdubmoweADcFTxEKQyYzC"
ENDS = {  # options that a recipe has no words for in this form
    "-F": "upload", "--form": "upload", "--form-string": "upload", "-T": "upload", "--upload-file": "upload",
    "-x": "proxy", "--proxy": "proxy", "--socks5": "proxy", "--digest": "digest", "--ntlm": "digest",
    "--negotiate": "digest", "--anyauth": "digest", "--aws-sigv4": "signed", "-E": "certificate",
    "--cert": "certificate", "--key": "certificate", "-K": "config", "--config": "config", "-I": "head",
    "--head": "head", "-n": "config", "--netrc": "config", "--next": "two_requests",
}  # fmt: skip


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


def read(text: str) -> PastedRequest:
    """The request in a pasted text. Raises NotRead."""
    text = text.strip()
    if not text:
        raise NotRead("nothing")
    if re.match(r"(?:\$\w+\s*=\s*New-Object|Invoke-(?:WebRequest|RestMethod)|iwr\b|irm\b)", text, re.IGNORECASE):
        raise NotRead("powershell")
    if re.match(r"(?:await\s+)?fetch\s*\(", text):
        raise NotRead("fetch")
    if re.match(r"https?://\S+$", text):
        return _finished(PastedRequest(url=text), [], get=False)
    try:
        words, after = split(text)
    except BadCommand as error:
        raise NotRead(str(error)) from None
    if not words or not re.fullmatch(r"(?:.*[/\\])?curl(?:\.exe)?", words[0]):
        raise NotRead("no_curl")
    return _Reader(words[1:], after).request()


class _Reader:
    """Goes through the words of a command."""

    def __init__(self, words: list[str], after: str) -> None:
        self.words, self.found, self.get = words, PastedRequest(), False
        self.data: list[str] = []
        self.addresses: list[str] = []
        if after:
            self.found.left_out.append(("after", after.split("\n")[0][:60]))

    def request(self) -> PastedRequest:
        while self.words:
            word = self.words.pop(0)
            if word.startswith("--") and "=" in word:
                word, _, value = word.partition("=")
                self.words.insert(0, value)
            if word.startswith("-") and len(word) > 1 and not word.startswith("--"):
                self._short(word)
            elif word.startswith("--"):
                self._option(word)
            elif word:
                self.addresses.append(word)
        if not self.addresses:
            raise NotRead("no_address")
        if len(self.addresses) > 1:
            raise NotRead("two_requests")
        self.found.url = self.addresses[0]
        return _finished(self.found, self.data, get=self.get)

    def _short(self, word: str) -> None:
        """Options of one letter, several of which may be one word: -sSL, -XPOST."""
        letter, rest = word[1], word[2:]
        if letter in SHORT_WITH_VALUE:
            if rest:
                self.words.insert(0, rest)
        elif rest:
            self.words.insert(0, f"-{rest}")
        self._option(f"-{letter}")

    def _option(self, name: str) -> None:
        found = self.found
        if name in QUIET:
            return
        if name in ENDS:
            raise NotRead(ENDS[name], name)
        if name in ("-L", "--location", "--location-trusted"):
            found.redirects = True
        elif name in ("-k", "--insecure"):
            found.left_out.append(("insecure", name))
        elif name in ("-G", "--get"):
            self.get = True
        elif name in QUIET_WITH_VALUE:
            self._value(name)
        elif name in ("-X", "--request"):
            found.method = self._value(name).upper()
        elif name in ("-H", "--header"):
            self._header(self._value(name))
        elif name in ("-u", "--user"):
            found.user = self._value(name)
        elif name == "--oauth2-bearer":
            found.headers.append(("Authorization", f"Bearer {self._value(name)}"))
        elif name in ("-b", "--cookie"):
            found.cookie = self._value(name)
        elif name == "--url":
            self.addresses.append(self._value(name))
        elif name in ("-m", "--max-time"):
            seconds = self._value(name)
            found.timeout = min(max(float(seconds), 0.1), 120) if re.fullmatch(r"\d+(\.\d+)?", seconds) else None
        elif name in DATA:
            self._data(name, self._value(name))
        else:
            raise NotRead("option", name)

    def _value(self, name: str) -> str:
        if not self.words:
            raise NotRead("no_value", name)
        return self.words.pop(0)

    def _header(self, text: str) -> None:
        name, _, value = text.partition(":")
        name, value = name.strip(), value.strip()
        if any(ord(letter) < 32 for letter in name + value):
            raise NotRead("broken_header", name)
        if name.lower() == "cookie":
            self.found.cookie = value
        elif NOISE.fullmatch(name):
            self.found.left_out.append(("noise", name))
        elif re.fullmatch(r"[A-Za-z0-9_-]+", name) and value:
            self.found.headers.append((name, value))
        else:
            raise NotRead("broken_header", name)

    def _data(self, name: str, text: str) -> None:
        if text.startswith("@") and name != "--data-raw":
            raise NotRead("file_of_data", text)
        if name == "--data-urlencode":
            key, sign, value = text.partition("=")
            text = f"{key}={quote_plus(value)}" if sign and key else quote_plus(value if sign else text)
        if name == "--json":
            self.found.headers += [("Content-Type", "application/json"), ("Accept", "application/json")]
        self.data.append(text)


def _finished(found: PastedRequest, data: list[str], *, get: bool) -> PastedRequest:
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

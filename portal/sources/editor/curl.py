"""Reads a curl command as a request. Runs nothing of it."""

import re
from urllib.parse import quote_plus

from portal.sources.editor.pasted_request import NotRead, PastedRequest, finished
from portal.sources.editor.shell_words import BadCommand, split

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
FORM_FIELDS = frozenset(("-F", "--form", "--form-string"))
PLACES = "{}<>[]$"  # around what documentation has in the place of a value
DATA = frozenset(("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json"))
SHORT_WITH_VALUE = "XHdubmoweADcFTxEKQyYzC"
ENDS = {  # options that a recipe has no words for in this form
    "-T": "upload", "--upload-file": "upload",
    "-x": "proxy", "--proxy": "proxy", "--socks5": "proxy", "--digest": "digest", "--ntlm": "digest",
    "--negotiate": "digest", "--anyauth": "digest", "--aws-sigv4": "signed", "-E": "certificate",
    "--cert": "certificate", "--key": "certificate", "-K": "config", "--config": "config", "-I": "head",
    "--head": "head", "-n": "config", "--netrc": "config", "--next": "two_requests",
}  # fmt: skip


def read(text: str) -> PastedRequest:
    """The request of a command. Raises NotRead."""
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
        return finished(self.found, self.data, get=self.get)

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
            found.add_header(*self._value(name).partition(":")[::2])
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
        elif name in FORM_FIELDS:
            self._form_field(name, self._value(name))
        elif name in DATA:
            self._data(name, self._value(name))
        else:
            raise NotRead("option", name)

    def _value(self, name: str) -> str:
        if not self.words:
            raise NotRead("no_value", name)
        return self.words.pop(0)

    def _data(self, name: str, text: str) -> None:
        if text.startswith("@") and name != "--data-raw":
            raise NotRead("file_of_data", text)
        if name == "--data-urlencode":
            key, sign, value = text.partition("=")
            text = f"{key}={quote_plus(value)}" if sign and key else quote_plus(value if sign else text)
        if name == "--json":
            self.found.headers += [("Content-Type", "application/json"), ("Accept", "application/json")]
        self.data.append(text)

    def _form_field(self, name: str, text: str) -> None:
        """A field of a form that may have files, sent as a plain form: what a server reads from both is the same."""
        key, _, value = text.partition("=")
        if value[:1] in ("@", "<") and name != "--form-string":
            raise NotRead("upload", name)
        if name != "--form-string":
            value = re.sub(r";\s*(?:type|headers)=[^;]*$", "", value)
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
        if ("form", name) not in self.found.left_out:
            self.found.left_out.append(("form", name))
        self.data.append(f"{quote_plus(key)}={quote_plus(value, safe=PLACES)}")

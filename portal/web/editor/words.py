"""The sentences of the editor: what of a command could not be read, what an answer may be, what a rule says."""

from collections.abc import Mapping
from typing import Any

from flask_babel import LazyString, gettext
from flask_babel import lazy_gettext as _

from portal.jobs.words.causes import reason_words
from portal.sources.words import YES_NO, sample_words

# Why a pasted text is no request.
NOT_READ: dict[str, LazyString] = {
    "nothing": _("Paste the command or the address here first."),
    "too_long": _("This is longer than any command. Copy only the one request."),
    "no_curl": _("This is neither a curl command nor a request. It should begin with “curl”, with “POST” or “GET”, or"
        " with “https://”."),
    "powershell": _("This is for PowerShell. In your browser, choose “Copy as cURL” instead."),
    "fetch": _("This is JavaScript (fetch). In your browser, choose “Copy as cURL” instead."),
    "open_quote": _("A quotation mark is not closed: the end of the command may be missing."),
    "runs_command": _("The command runs another one inside it, with $(…) or `…`. Put its result there instead."),
    "no_address": _("The command has no address."),
    "no_host": _("The request does not say to whom it goes. Put the line “Host: …” of the documentation into it, or the"
        " whole address into its first line."),
    "bad_address": _("This is not a complete address: %(what)s"),
    "two_requests": _("These are several requests. Paste only the one that looks up a number."),
    "no_number": _("We found no telephone number in it. Paste a request about one number, or say below what the number"
        " looks like there."),
    "option": _("We do not know the option %(what)s. Remove it if the request works without it."),
    "no_value": _("The option %(what)s has nothing after it."),
    "broken_header": _("A header cannot be read: %(what)s"),
    "file_of_data": _("The data is in a file (%(what)s), which we cannot open. Put what is in it into the command."),
    "upload": _("The request uploads a file or a form with files (%(what)s). That cannot be done here; the"
        " documentation says how it is written as text."),
    "proxy": _("The request goes through a proxy (%(what)s). The proxy is a setting of the server: remove it here."),
    "digest": _("This way to sign in (%(what)s) is not supported. Many providers also accept a key or Basic."),
    "signed": _("The request is signed (%(what)s). Write the signature as text: the documentation says how."),
    "certificate": _("The request uses a client certificate (%(what)s). It goes into the server’s folder “secrets”; "
        "remove it here and add its name as text."),
    "config": _("The option %(what)s reads a file of your machine, which we cannot open."),
    "head": _("The request asks for the headers only (%(what)s), so there would be nothing to read."),
    "method": _("The method %(what)s is not supported: a lookup is a GET or a POST."),
    "body_with_get": _("A request with data has to be a POST."),
}  # fmt: skip

# What was left out of a command that could be read.
LEFT_OUT: dict[str, LazyString] = {
    "after": _("What comes after the command was left out: %(what)s"),
    "insecure": _("“%(what)s” was left out: the certificate of the source is always checked."),
    "form": _("The form is sent without files (%(what)s), as plain form data. Nearly all sources read both alike."),
    "noise": _("Headers that only a browser needs were left out: %(what)s"),
    "size": _(
        "The request has several numbers, so up to 50 go into each one. Change it if your provider allows fewer."
    ),
}

# What a person may say that an answer is: the rule that says so, on the pages.
MEANINGS: dict[str, LazyString] = {
    "exists": _("A number with data"),
    "unknown": _("A number that it does not know"),
    "wrong": _("A wrong number"),
    "key": _("With a wrong key"),
    "credit": _("No credit left"),
    "limited": _("Too many requests"),
    "blocked": _("It blocks us"),
    "retry": _("A failure: ask again later"),
}

RULES: dict[str, LazyString] = {
    "success": _("The number has data"),
    "not_found": _("The source does not know the number"),
    "rejected": _("The source refuses the number"),
    "credentials": _("The key is wrong"),
    "no_credit": _("There is no credit left"),
    "limited": _("Too many requests: slow down"),
    "blocked": _("The source blocks us"),
    "retry": _("A failure: ask again later"),
}

VERDICTS: dict[str, LazyString] = {
    "ok": _("has data"),
    "not_found": _("not known"),
    "rejected": _("refused"),
    "unsure": _("refused"),
    "rate_limited": _("too many requests"),
    "temporary": _("a failure, asked again"),
    "unreadable": _("cannot be used"),
    "blocked": _("we are blocked"),
    "credentials": _("the key is wrong"),
    "no_credit": _("no credit"),
}

FORMS: dict[str, str] = {
    "e164": "+34612345678",
    "digits": "34612345678",
    "national": "612345678",
    "00": "0034612345678",
    "0": "0612345678",
}

TYPES: dict[str, LazyString] = {
    "text": _("text"),
    "bool": _("yes or no"),
    "number": _("figure"),
    "date": _("date"),
}


def not_read_words(code: str, what: str) -> str:
    """Why a text could not be read."""
    return str(NOT_READ[code]) % {"what": what} if code in NOT_READ else gettext("This cannot be read.")


def left_out_words(notes: list[list[str]]) -> list[str]:
    """What was left out, the same in one sentence."""
    by_code: dict[str, list[str]] = {}
    for code, what in notes:
        by_code.setdefault(code, []).append(what)
    return [str(LEFT_OUT[code]) % {"what": ", ".join(what)} for code, what in by_code.items() if code in LEFT_OUT]


def rule_words(rule: Mapping[str, Any]) -> str:
    """One rule as a sentence with its technical part."""
    parts = []
    if "status" in rule:
        status = rule["status"]
        parts.append(
            gettext(
                "the status is %(status)s", status=", ".join(map(str, status if isinstance(status, list) else [status]))
            )
        )
    if "json" in rule:
        parts.append(gettext("this holds: %(condition)s", condition=rule["json"]))
    if "css" in rule:
        parts.append(gettext("the answer has the element %(element)s", element=rule["css"]))
    if "text" in rule:
        parts.append(gettext("the answer says “%(text)s”", text=rule["text"]))
    said = parts[0]
    for part in parts[1:]:
        said = gettext("%(one)s and %(other)s", one=said, other=part)
    return said


def value_words(kind: str | None, value: str) -> str:
    """A value as people read it."""
    return str(YES_NO.get(value, value)) if kind == "bool" else value


def why_words(why: str) -> str:
    """Why an answer cannot be shown or read."""
    if why == "too large":
        return gettext("The answer is too large to choose from.")
    if why == "no item":
        return gettext("The answer has no entry for this number.")
    return sample_words(why)


def reason_of_no_answer(reason: str) -> str:
    """Why no answer came."""
    return str(reason_words(reason))

"""Finds refusals that are sent as if they were answers: a challenge page or a quota message with status 200.

A challenge is known by marks that only such a page has, so it counts whatever the recipe's fields find in it.
`refusal_in` reads words that an answer may hold too, so it is asked only about a response without any field.
"""

import re
from collections.abc import Mapping

from portal.causes import CauseCode
from portal.sources.http.response import SourceResponse

LOOKED_AT = 200_000  # characters: a challenge page is short, and its marks stand at its head

# Each product's page as it is served: a header that says so, or texts that must all be there.
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "cf-mitigated": ("challenge",),  # Cloudflare
    "x-amzn-waf-action": ("challenge", "captcha"),  # AWS WAF
    "x-dd-b": ("",),  # DataDome: set on a blocked response only
}
_MARKS: tuple[tuple[str, ...], ...] = (
    ("_cf_chl_opt",),  # Cloudflare
    ("<title>just a moment...</title>",),
    ("<title>attention required! | cloudflare</title>",),
    ("captcha-delivery.com", "var dd="),  # DataDome
    ("window._pxappid", "px-captcha"),  # HUMAN, formerly PerimeterX
    ("px-captcha", "press & hold"),
    ("_incapsula_resource", "incapsula incident id"),  # Imperva
    ("<title>access denied</title>", "errors.edgesuite.net"),  # Akamai
    ("gokuprops", "awswaf"),  # AWS WAF
    ("<title>human verification</title>", "awswafcookiedomainlist"),
    ("our systems have detected unusual traffic",),  # Google
    ("sucuri website firewall - access denied",),
    ("kasada", "ips.js", "kpsdk"),
)
_CAPTCHA = re.compile(
    r"captcha|cf-turnstile|are you (?:a )?human|verify you are human"
    r"|no eres un robot|no soy un robot|eres humano"
)
_NO_CREDIT = re.compile(
    r"(?:insufficient|not enough|no|out of|exhausted|low)[ _-]*(?:credits?|funds|balance)"
    r"|(?:credits?|balance)[ _-]*(?:exhausted|too[ _-]low|insufficient|exceeded)"
    r"|(?:monthly|usage|plan|subscription)[ _-]*(?:usage[ _-]*)?(?:quota|limit)[ _-]*(?:reached|exceeded|exhausted)"
    r"|quota[ _-]*(?:has been |is )?(?:exceeded|reached|exhausted)|exceeded (?:your|the) [a-z ]{0,20}quota"
    r"|saldo insuficiente|sin saldo|cr[eé]dito(?:s)? insuficiente|(?:cuota|l[ií]mite) [a-z ]{0,20}(?:superad|agotad)"
)
_LIMITED = re.compile(
    r"too many requests|rate[ _-]*limit|requests? (?:per|a) (?:second|minute|hour)|slow down|thrott?led"
    r"|demasiadas (?:peticiones|solicitudes|consultas)"
)


def is_challenge(response: SourceResponse) -> bool:
    """Whether it is the page of a product that keeps programs out."""
    for name, words in _HEADERS.items():
        value = response.headers.get(name)
        if value is not None and any(word in value.lower() for word in words):
            return True
    if response.body.lstrip()[:1] != b"<":
        return False
    head = response.lower[:LOOKED_AT]
    return any(all(mark in head for mark in marks) for marks in _MARKS)


def refusal_in(text: str) -> CauseCode | None:
    """What a response without any field says: NO_CREDIT, RATE_LIMITED, BLOCKED, or None."""
    lower = text[:LOOKED_AT].lower()
    meanings = ((CauseCode.NO_CREDIT, _NO_CREDIT), (CauseCode.RATE_LIMITED, _LIMITED), (CauseCode.BLOCKED, _CAPTCHA))
    for meaning, words in meanings:
        if words.search(lower):
            return meaning
    return None

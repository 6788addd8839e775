"""Cookies as plain values that can be kept: those of a response, and those that a request to an address takes."""

from collections.abc import Iterable, Mapping
from typing import Any

import requests
from requests.cookies import RequestsCookieJar, create_cookie

Cookie = Mapping[str, Any]
KEPT = ("name", "value", "domain", "path", "secure", "expires")


def cookies_of(response: requests.Response) -> tuple[Cookie, ...]:
    """The cookies that a response set, and those of the redirects that led to it."""
    jar = RequestsCookieJar()
    for one in (*response.history, response):
        jar.update(one.cookies)
    return tuple({name: getattr(cookie, name) for name in KEPT} for cookie in jar)


def jar_of(cookies: Iterable[Cookie]) -> RequestsCookieJar:
    """A jar with these cookies, which gives each to its own host and path only."""
    jar = RequestsCookieJar()
    for one in cookies:
        jar.set_cookie(create_cookie(one["name"], one["value"], **{name: one[name] for name in KEPT[2:]}))
    return jar


def merged(earlier: Iterable[Cookie], later: Iterable[Cookie]) -> tuple[Cookie, ...]:
    """Both, the later one of two with the same name and place."""
    found = {(one["name"], one["domain"], one["path"]): one for one in (*earlier, *later)}
    return tuple(found.values())

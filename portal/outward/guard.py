"""A requests Session for addresses that a person has set: it reaches public addresses, and nothing inside our network.

The name is resolved once, the addresses are judged, and the connection goes to the judged one: a name that answers
differently the second time (rebinding) gains nothing. Every redirect is judged again. It builds on requests-hardened,
which pins but judges the first address only, and knows neither ports, nor pool sizes, nor networks that an operator
opened. It must not know what is fetched, or why.

Where its promise ends: whoever controls a public address still decides what comes back from it; limits on size and
time are the caller's.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests_hardened import Config, HTTPSession  # type: ignore[import-untyped]
from requests_hardened.ip_filter import EXTRA_BLOCKED_NET_RANGES  # type: ignore[import-untyped]
from requests_hardened.ip_filter_adapter import IPFilterAdapter  # type: ignore[import-untyped]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = (80, 443)
KEPT_SECONDS = 30.0  # how long a judged address is used again: a name is not resolved for each of 5,000 numbers
TIMEOUT_SECONDS = (5.0, 10.0)  # to connect, and between two pieces of an answer, where the caller says nothing
DEFAULT_PORTS = {"http": 80, "https": 443}
# What a redirect to another host may carry on: everything else may be a key that is for the first host alone.
HARMLESS = {"accept", "accept-encoding", "accept-language", "user-agent"}


class Refusal(StrEnum):
    """Why an address is not asked. A page has a sentence for each."""

    SCHEME = "scheme_refused"  # neither http nor https
    USERINFO = "userinfo_refused"  # a name or password stands in the address
    PORT = "port_refused"
    PRIVATE = "private_address"  # it leads into our own network, or nowhere on the internet
    REDIRECTS = "too_many_redirects"


class Refused(requests.RequestException):
    """The address is not asked, by our own rule; nothing was sent to it. Asking again changes nothing."""

    def __init__(self, code: Refusal, what: str) -> None:
        super().__init__(f"{code}: {what}")
        self.code = code
        self.what = what  # a host, a port or a scheme: never the whole address, which may hold a key


@dataclass(frozen=True)
class Judged:
    """An address that may be connected to. `private` when only the operator's own setting allows it."""

    address: Address
    private: bool


class Judge:
    """Which addresses may be connected to. `allow_private` are networks that the operator opened, at any port;
    `ports` are allowed beside 80 and 443 everywhere."""

    def __init__(
        self, allow_private: Iterable[str] = (), ports: Iterable[int] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._opened: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in allow_private)
        self._ports = frozenset((*PORTS, *ports))
        self._clock = clock
        self._kept: dict[tuple[str, int], tuple[Judged, float]] = {}
        self._lock = threading.Lock()

    def judge(self, host: str, port: int) -> Judged:
        """The address to connect to. Raises Refused; a name that nobody knows is a requests.ConnectionError."""
        with self._lock:
            judged, until = self._kept.get((host, port), (None, 0.0))
        if judged is not None and self._clock() < until:
            return judged
        judged = self._resolve(host, port)
        with self._lock:
            if len(self._kept) > 1000:  # a source has one host; a crowd of redirects must not fill the memory
                self._kept.clear()
            self._kept[host, port] = (judged, self._clock() + KEPT_SECONDS)
        return judged

    def _resolve(self, host: str, port: int) -> Judged:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise requests.ConnectionError(f"the name of the host is not known: {host}") from error
        # All of them, not only the one we use: a name that points inside as well as outside is not to be trusted.
        judged = [self._address(str(one[4][0]).partition("%")[0], host) for one in found]
        if not judged:
            raise requests.ConnectionError(f"the name of the host has no address: {host}")
        if port not in self._ports and not all(one.private for one in judged):
            raise Refused(Refusal.PORT, str(port))
        return judged[0]

    def _address(self, text: str, host: str) -> Judged:
        address = ipaddress.ip_address(text)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if any(address.version == network.version and address in network for network in self._opened):
            return Judged(address, private=True)
        if not _is_public(address):
            raise Refused(Refusal.PRIVATE, host)
        return Judged(address, private=False)


def _is_public(address: Address) -> bool:
    """Whether this address can only be somebody else's, on the internet."""
    inside = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or not address.is_global
    )
    return not inside and not any(
        address.version == network.version and address in network for network in EXTRA_BLOCKED_NET_RANGES
    )


class PinnedAdapter(IPFilterAdapter):
    """Connects to the judged address, with the name in the Host header, the handshake and the certificate's check."""

    def __init__(self, judge: Judge, scheme: str, pool_size: int) -> None:
        super().__init__(is_https_proto=scheme == "https")
        self._judge = judge
        self._scheme = scheme
        self.init_poolmanager(pool_size, pool_size)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Where requests asks whom to connect to: the one place that every request and every redirect goes through."""
        host_params: Any
        pool_kwargs: Any
        host_params, pool_kwargs = HTTPAdapter.build_connection_pool_key_attributes(self, request, verify, cert)
        host, port = str(host_params["host"] or ""), host_params["port"]
        if not host:
            raise requests.exceptions.InvalidURL("the address has no host")
        judged = self._judge.judge(host, int(port or DEFAULT_PORTS[self._scheme]))
        request.headers["Host"] = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
        if self._scheme == "https":
            pool_kwargs.update(assert_hostname=host, server_hostname=host)
        host_params["host"] = f"[{judged.address}]" if judged.address.version == 6 else str(judged.address)
        return host_params, pool_kwargs


class GuardedSession(HTTPSession):
    """Like any Session, but no cookies, no proxies, nothing of the environment, and only judged addresses."""

    def __init__(self, judge: Judge, pool_size: int, redirects: int) -> None:
        super().__init__(
            Config(
                ip_filter_enable=False,  # ours is mounted below
                ip_filter_allow_loopback_ips=False,
                never_redirect=redirects == 0,
                default_timeout=TIMEOUT_SECONDS,
            )
        )
        self._judge = judge
        self.trust_env = False  # a proxy would resolve the name itself
        self.max_redirects = max(redirects, 1)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # the one thing that threads would share
        for scheme in DEFAULT_PORTS:
            self.mount(f"{scheme}://", PinnedAdapter(judge, scheme, pool_size))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send, once the address itself has been looked at. Raises Refused."""
        parts = urlsplit(str(request.url))
        if parts.scheme.lower() not in DEFAULT_PORTS:
            raise Refused(Refusal.SCHEME, parts.scheme)
        if "@" in parts.netloc:
            raise Refused(Refusal.USERINFO, parts.hostname or "")
        kwargs["proxies"] = {}
        try:
            return super().send(request, **kwargs)
        except requests.TooManyRedirects as error:
            raise Refused(Refusal.REDIRECTS, parts.hostname or "") from error

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called by requests for each redirect: another host gets none of our keys, and from outside no redirect
        leads into a network that was opened for somebody's own address."""
        before, after = _origin(str(response.request.url)), _origin(str(prepared_request.url))
        if before == after:
            return
        for name in [name for name in prepared_request.headers if name.lower() not in HARMLESS]:
            del prepared_request.headers[name]
        if prepared_request.body:  # the same holds for what is sent along
            raise Refused(Refusal.REDIRECTS, after[1])
        if after[0] not in DEFAULT_PORTS:
            return  # `send` refuses it
        if self._judge.judge(*after[1:]).private and not self._judge.judge(*before[1:]).private:
            raise Refused(Refusal.PRIVATE, after[1])


def _origin(address: str) -> tuple[str, str, int]:
    parts = urlsplit(address)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname or "", parts.port or DEFAULT_PORTS.get(scheme, 0)


def session(
    allow_private: Sequence[str] = (), pool_size: int = 10, redirects: int = 0, ports: Sequence[int] = ()
) -> GuardedSession:
    """A session that keeps `pool_size` connections and follows that many redirects.

    `allow_private` are networks of the server's own configuration, as in 10.1.2.0/24: never of a recipe or a form.
    Raises ValueError for one that is no network.
    """
    return GuardedSession(Judge(allow_private, ports), pool_size, redirects)

"""Which addresses may be connected to: public ones, those the operator opened, and nothing else inside our network.

The name is resolved and every address it has is judged; whoever connects must connect to the judged one. It must not
know what is fetched, or why.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import requests
from requests_hardened.ip_filter import EXTRA_BLOCKED_NET_RANGES  # type: ignore[import-untyped]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = (80, 443)
KEPT_SECONDS = 30.0  # how long a judged address is used again: a name is not resolved for each of 5,000 numbers
DEFAULT_PORTS = {"http": 80, "https": 443}


class AddressRefusal(StrEnum):
    """Why an address is not asked. A page has a sentence for each."""

    HOST = "no_host"  # not an address at all
    SCHEME = "scheme_refused"  # neither http nor https, or http where only https is good enough
    USERINFO = "userinfo_refused"  # a name or password stands in the address
    PORT = "port_refused"
    PRIVATE = "private_address"  # it leads into our own network, or nowhere on the internet
    REDIRECTS = "too_many_redirects"


class AddressRefused(requests.RequestException):
    """The address is not asked, by our own rule; nothing was sent to it. Asking again changes nothing."""

    def __init__(self, code: AddressRefusal, what: str) -> None:
        super().__init__(f"{code}: {what}")
        self.code = code
        self.what = what  # a host, a port or a scheme: never the whole address, which may hold a key


@dataclass(frozen=True)
class AllowedAddress:
    """An address that may be connected to. `private` when only the operator's own setting allows it."""

    address: Address
    private: bool


class AddressPolicy:
    """Which addresses may be connected to. `allow_private` are networks that the operator opened, at any port;
    `ports` are allowed beside 80 and 443 everywhere. `https_only`: plain http goes into opened networks alone."""

    def __init__(
        self,
        allow_private: Iterable[str] = (),
        ports: Iterable[int] = (),
        clock: Callable[[], float] = time.monotonic,
        *,
        https_only: bool = False,
    ) -> None:
        self._https_only = https_only
        self._opened: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in allow_private)
        self._ports = frozenset((*PORTS, *ports))
        self._clock = clock
        self._kept: dict[tuple[str, int], tuple[AllowedAddress, float]] = {}
        self._lock = threading.Lock()

    def look_at(self, url: str) -> None:
        """Refuse what the text of an address alone gives away: no name is looked up, so that a form can ask. Raises
        Refused. A host that is written as a number, in whatever spelling, is judged as that number."""
        scheme, host, port = self._parts(url)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            found = []
        private = bool(found) and all(self._address(str(one[4][0]).partition("%")[0], host).private for one in found)
        may_be_private = private or (bool(self._opened) and not found)  # where a name leads, only its lookup will tell
        if scheme == "http" and self._https_only and not may_be_private:
            raise AddressRefused(AddressRefusal.SCHEME, scheme)
        if port not in self._ports and not may_be_private:
            raise AddressRefused(AddressRefusal.PORT, str(port))

    def judge_all(self, url: str) -> None:
        """Refuse an address, the name looked up and judged too. Raises Refused; requests.ConnectionError as `judge`."""
        scheme, host, port = self._parts(url)
        if scheme == "http" and self._https_only and not self.judge(host, port).private:
            raise AddressRefused(AddressRefusal.SCHEME, scheme)

    @staticmethod
    def _parts(url: str) -> tuple[str, str, int]:
        try:
            parts = urlsplit(url)
            scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        except ValueError:
            raise AddressRefused(AddressRefusal.HOST, "") from None
        if scheme not in DEFAULT_PORTS:
            raise AddressRefused(AddressRefusal.SCHEME, scheme)
        if "@" in parts.netloc:
            raise AddressRefused(AddressRefusal.USERINFO, host)
        if not host.strip(".") or any(letter.isspace() for letter in parts.netloc) or not _can_be_asked_for(host):
            raise AddressRefused(AddressRefusal.HOST, "")
        return scheme, host, DEFAULT_PORTS[scheme] if port is None else port

    def judge(self, host: str, port: int) -> AllowedAddress:
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

    def _resolve(self, host: str, port: int) -> AllowedAddress:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise requests.ConnectionError(f"the name of the host is not known: {host}") from error
        # All of them, not only the one we use: a name that points inside as well as outside is not to be trusted.
        judged = [self._address(str(one[4][0]).partition("%")[0], host) for one in found]
        if not judged:
            raise requests.ConnectionError(f"the name of the host has no address: {host}")
        if port not in self._ports and not all(one.private for one in judged):
            raise AddressRefused(AddressRefusal.PORT, str(port))
        return judged[0]

    def _address(self, text: str, host: str) -> AllowedAddress:
        address = ipaddress.ip_address(text)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if any(address.version == network.version and address in network for network in self._opened):
            return AllowedAddress(address, private=True)
        if not _is_public(address):
            raise AddressRefused(AddressRefusal.PRIVATE, host)
        return AllowedAddress(address, private=False)


def _can_be_asked_for(host: str) -> bool:
    """Whether a name server could be asked for it: no part of a name is longer than 63 letters, nor empty."""
    try:
        host.rstrip(".").encode("idna")
    except UnicodeError:
        return False
    return True


def _is_public(address: Address) -> bool:
    """Whether this address can only be somebody else's, on the internet."""
    inside = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or getattr(address, "is_site_local", False)  # fec0::/10, long given up and never public
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or not address.is_global
    )
    return not inside and not any(
        address.version == network.version and address in network for network in EXTRA_BLOCKED_NET_RANGES
    )

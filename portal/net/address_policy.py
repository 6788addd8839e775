"""Decides which addresses we may connect to: public ones, and the private networks that the operator opened.

A name is resolved, every address it has is checked, and the caller must connect to the checked address that is
returned. It must not know what is fetched, or why.
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

from portal.net.deadline import within

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = (80, 443)
CACHE_SECONDS = 30.0  # how long a checked address is reused: a name is not resolved for each of 5,000 numbers
DEFAULT_PORTS = {"http": 80, "https": 443}


class AddressRefusal(StrEnum):
    """Why an address is refused. Pages have a sentence for each."""

    HOST = "no_host"  # not an address at all
    SCHEME = "scheme_refused"  # neither http nor https, or http where https is required
    USERINFO = "userinfo_refused"  # the address contains a user name or password
    PORT = "port_refused"
    PRIVATE = "private_address"  # inside our own network, or not routable on the internet
    REDIRECTS = "too_many_redirects"


class AddressRefused(requests.RequestException):
    """Our own rules refuse the address. Nothing was sent to it, and a retry would be refused too."""

    def __init__(self, code: AddressRefusal, what: str) -> None:
        super().__init__(f"{code}: {what}")
        self.code = code
        self.what = what  # a host, a port or a scheme: never the whole address, which may hold a key


@dataclass(frozen=True)
class AllowedAddress:
    """An address that we may connect to. `private` if only the operator's setting allows it."""

    address: Address
    private: bool


class AddressPolicy:
    """The rules for addresses. `allow_private`: networks that the operator opened, at any port. `ports`: allowed
    everywhere besides 80 and 443. `https_only`: plain http is allowed only into opened networks."""

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
        self._cache: dict[tuple[str, int], tuple[AllowedAddress, float]] = {}
        self._lock = threading.Lock()

    def check_text(self, url: str) -> None:
        """Refuse an address by its text alone, without resolving its name, so that a form can call this.

        Raises AddressRefused. A host that is an IP address, in any spelling, is checked as that address.
        """
        scheme, host, port = self._parts(url)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            found = []
        private = bool(found) and all(self._address(str(one[4][0]).partition("%")[0], host).private for one in found)
        may_be_private = private or (bool(self._opened) and not found)  # a name may resolve to an opened network
        if scheme == "http" and self._https_only and not may_be_private:
            raise AddressRefused(AddressRefusal.SCHEME, scheme)
        if port not in self._ports and not may_be_private:
            raise AddressRefused(AddressRefusal.PORT, str(port))

    def check(self, url: str) -> None:
        """Refuse an address by its text and, if it is plain http under `https_only`, by what its name resolves to.

        Raises AddressRefused, and requests.ConnectionError as `allowed_address` does.
        """
        scheme, host, port = self._parts(url)
        if scheme == "http" and self._https_only and not self.allowed_address(host, port).private:
            raise AddressRefused(AddressRefusal.SCHEME, scheme)

    def goes_by_proxy(self, url: str) -> bool:
        """Judge an address that a proxy is to reach; return whether it is: an opened network is reached directly.

        A name that is not known here may be known to the proxy, as in networks whose names are all their own. Raises
        AddressRefused.
        """
        _, host, port = self._parts(url)
        try:
            return not self.allowed_address(host, port).private
        except requests.ConnectionError:
            if port not in self._ports:
                raise AddressRefused(AddressRefusal.PORT, str(port)) from None
            return True

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
        if not host.strip(".") or any(char.isspace() for char in parts.netloc) or not _is_valid_name(host):
            raise AddressRefused(AddressRefusal.HOST, "")
        return scheme, host, DEFAULT_PORTS[scheme] if port is None else port

    def allowed_address(self, host: str, port: int) -> AllowedAddress:
        """Return the address to connect to. Raises AddressRefused, or requests.ConnectionError for an unknown name."""
        with self._lock:
            checked, until = self._cache.get((host, port), (None, 0.0))
        if checked is not None and self._clock() < until:
            return checked
        checked = self._resolve(host, port)
        with self._lock:
            if len(self._cache) > 1000:  # a source has one host; many redirects must not fill the memory
                self._cache.clear()
            self._cache[host, port] = (checked, self._clock() + CACHE_SECONDS)
        return checked

    def _resolve(self, host: str, port: int) -> AllowedAddress:
        try:
            found = within(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except TimeoutError as error:
            raise requests.ConnectTimeout(f"the name of the host took too long: {host}") from error
        except (OSError, UnicodeError) as error:
            raise requests.ConnectionError(f"the name of the host is not known: {host}") from error
        # Check all addresses, not only the one we use: a name that points both inside and outside cannot be trusted.
        checked = [self._address(str(one[4][0]).partition("%")[0], host) for one in found]
        if not checked:
            raise requests.ConnectionError(f"the name of the host has no address: {host}")
        if port not in self._ports and not all(one.private for one in checked):
            raise AddressRefused(AddressRefusal.PORT, str(port))
        return checked[0]

    def _address(self, text: str, host: str) -> AllowedAddress:
        address = ipaddress.ip_address(text)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if any(address.version == network.version and address in network for network in self._opened):
            return AllowedAddress(address, private=True)
        if not _is_public(address):
            raise AddressRefused(AddressRefusal.PRIVATE, host)
        return AllowedAddress(address, private=False)


def _is_valid_name(host: str) -> bool:
    """Return whether a host name is valid for DNS: each label has 1 to 63 characters."""
    try:
        host.rstrip(".").encode("idna")
    except UnicodeError:
        return False
    return True


def _is_public(address: Address) -> bool:
    """Return whether the address is on the public internet, and so cannot be one of ours."""
    inside = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or getattr(address, "is_site_local", False)  # fec0::/10, deprecated (RFC 3879) and never public
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or not address.is_global
    )
    return not inside and not any(
        address.version == network.version and address in network for network in EXTRA_BLOCKED_NET_RANGES
    )

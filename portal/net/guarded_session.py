"""A requests Session for addresses that people configure: it reaches public addresses, but not our own network (SSRF).

The name is resolved once, its addresses are checked, and the connection goes to the checked one: a name that resolves
differently the second time (DNS rebinding) gains nothing. Every redirect is checked again. It builds on
requests-hardened, which pins but checks the first address only, and knows no ports, pool sizes or networks that an
operator opened. It must not know what is fetched, or why.

With a proxy, the name is judged here and then resolved again by the proxy, which has to have the same rules.

Where its promise ends: the owner of a public address still decides what it answers. Limits on size and time are up to
the caller.
"""

from collections.abc import Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests_hardened import Config, HTTPSession  # type: ignore[import-untyped]
from requests_hardened.ip_filter_adapter import IPFilterAdapter  # type: ignore[import-untyped]

from portal.net.address_policy import DEFAULT_PORTS, AddressPolicy, AddressRefusal, AddressRefused
from portal.net.deadline import POOLS

TIMEOUT_SECONDS = (5.0, 10.0)  # default: to connect, and between two chunks of a response
# The headers that a redirect to another host keeps. Any other may be a key meant for the first host only.
HARMLESS = {"accept", "accept-encoding", "accept-language", "user-agent"}


class PinnedAdapter(IPFilterAdapter):
    """Connects to the checked address, with the name in the Host header, TLS handshake and certificate check."""

    def __init__(self, policy: AddressPolicy, scheme: str, pool_size: int) -> None:
        super().__init__(is_https_proto=scheme == "https")
        self._policy = policy
        self._scheme = scheme
        self.init_poolmanager(pool_size, pool_size)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        request.by_proxy = bool(proxies)  # type: ignore[attr-defined]
        return super().get_connection_with_tls_context(request, verify, proxies, cert)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """The connections through a proxy, within the same deadlines."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Choose the address to connect to. Every request and every redirect passes through here."""
        host_params: Any
        pool_kwargs: Any
        host_params, pool_kwargs = HTTPAdapter.build_connection_pool_key_attributes(self, request, verify, cert)
        host, port = str(host_params["host"] or ""), host_params["port"]
        if not host:
            raise requests.exceptions.InvalidURL("the address has no host")
        if getattr(request, "by_proxy", False):  # judged by `GuardedSession.send`
            return host_params, pool_kwargs
        allowed = self._policy.allowed_address(host, int(port or DEFAULT_PORTS[self._scheme]))
        request.headers["Host"] = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
        if self._scheme == "https":
            pool_kwargs.update(assert_hostname=host, server_hostname=host)
        host_params["host"] = f"[{allowed.address}]" if allowed.address.version == 6 else str(allowed.address)
        return host_params, pool_kwargs


class GuardedSession(HTTPSession):
    """A Session without cookies or settings from the environment, which connects to checked addresses only: directly,
    or through the proxy of the server's configuration."""

    def __init__(self, policy: AddressPolicy, pool_size: int, redirects: int, proxy: str = "") -> None:
        super().__init__(
            Config(
                ip_filter_enable=False,  # ours is mounted below
                ip_filter_allow_loopback_ips=False,
                never_redirect=redirects == 0,
                default_timeout=TIMEOUT_SECONDS,
            )
        )
        self._policy, self._proxy = policy, proxy
        self.trust_env = False  # a proxy would resolve the name itself
        self.max_redirects = max(redirects, 1)
        self.cookies.set_policy(
            DefaultCookiePolicy(allowed_domains=[])
        )  # cookies are the only state that threads would share
        for scheme in DEFAULT_PORTS:
            self.mount(f"{scheme}://", PinnedAdapter(policy, scheme, pool_size))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Check the address, then send. Raises AddressRefused."""
        self._policy.check(str(request.url))
        by_proxy = bool(self._proxy) and self._policy.goes_by_proxy(str(request.url))
        kwargs["proxies"] = dict.fromkeys(DEFAULT_PORTS, self._proxy) if by_proxy else {}
        try:
            return super().send(request, **kwargs)
        except requests.TooManyRedirects as error:
            raise AddressRefused(AddressRefusal.REDIRECTS, urlsplit(str(request.url)).hostname or "") from error

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Drop our keys on a redirect to another host. requests calls this for each redirect.

        Raises AddressRefused when it would carry a body to another host, or lead from a public address into a network
        that the operator opened: that was opened for configured addresses only.
        """
        before, after = _origin(str(response.request.url)), _origin(str(prepared_request.url))
        if before == after:
            return
        for name in [name for name in prepared_request.headers if name.lower() not in HARMLESS]:
            del prepared_request.headers[name]
        if prepared_request.body:  # the body may hold a key, too
            raise AddressRefused(AddressRefusal.REDIRECTS, after[1])
        if after[0] not in DEFAULT_PORTS:
            return  # `send` will refuse it
        if self._is_private(*after[1:]) and not self._is_private(*before[1:]):
            raise AddressRefused(AddressRefusal.PRIVATE, after[1])

    def _is_private(self, host: str, port: int) -> bool:
        try:
            return self._policy.allowed_address(host, port).private
        except requests.ConnectionError:
            if not self._proxy:
                raise
            return False  # known to the proxy alone


def _origin(address: str) -> tuple[str, str, int]:
    parts = urlsplit(address)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname or "", parts.port or DEFAULT_PORTS.get(scheme, 0)


def session(
    allow_private: Sequence[str] = (),
    pool_size: int = 10,
    redirects: int = 0,
    ports: Sequence[int] = (),
    proxy: str = "",
) -> GuardedSession:
    """Return a session that keeps `pool_size` connections and follows up to `redirects` redirects.

    `allow_private` are networks from the server's own settings, such as 10.1.2.0/24: never from a recipe or a form.
    `proxy`, from there too, is the way to all others. Raises ValueError for a text that is not a network.
    """
    return GuardedSession(AddressPolicy(allow_private, ports), pool_size, redirects, proxy)

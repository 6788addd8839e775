"""A requests Session for addresses that a person has set: it reaches public addresses, and nothing inside our network.

The name is resolved once, the addresses are judged, and the connection goes to the judged one: a name that answers
differently the second time (rebinding) gains nothing. Every redirect is judged again. It builds on requests-hardened,
which pins but judges the first address only, and knows neither ports, nor pool sizes, nor networks that an operator
opened. It must not know what is fetched, or why.

Where its promise ends: whoever controls a public address still decides what comes back from it; limits on size and
time are the caller's.
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

TIMEOUT_SECONDS = (5.0, 10.0)  # to connect, and between two pieces of an answer, where the caller says nothing
# What a redirect to another host may carry on: everything else may be a key that is for the first host alone.
HARMLESS = {"accept", "accept-encoding", "accept-language", "user-agent"}


class PinnedAdapter(IPFilterAdapter):
    """Connects to the judged address, with the name in the Host header, the handshake and the certificate's check."""

    def __init__(self, judge: AddressPolicy, scheme: str, pool_size: int) -> None:
        super().__init__(is_https_proto=scheme == "https")
        self._judge = judge
        self._scheme = scheme
        self.init_poolmanager(pool_size, pool_size)
        self.poolmanager.pool_classes_by_scheme = POOLS

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

    def __init__(self, judge: AddressPolicy, pool_size: int, redirects: int) -> None:
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
        self._judge.judge_all(str(request.url))
        kwargs["proxies"] = {}
        try:
            return super().send(request, **kwargs)
        except requests.TooManyRedirects as error:
            raise AddressRefused(AddressRefusal.REDIRECTS, urlsplit(str(request.url)).hostname or "") from error

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called by requests for each redirect: another host gets none of our keys, and from outside no redirect
        leads into a network that was opened for somebody's own address."""
        before, after = _origin(str(response.request.url)), _origin(str(prepared_request.url))
        if before == after:
            return
        for name in [name for name in prepared_request.headers if name.lower() not in HARMLESS]:
            del prepared_request.headers[name]
        if prepared_request.body:  # the same holds for what is sent along
            raise AddressRefused(AddressRefusal.REDIRECTS, after[1])
        if after[0] not in DEFAULT_PORTS:
            return  # `send` refuses it
        if self._judge.judge(*after[1:]).private and not self._judge.judge(*before[1:]).private:
            raise AddressRefused(AddressRefusal.PRIVATE, after[1])


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
    return GuardedSession(AddressPolicy(allow_private, ports), pool_size, redirects)

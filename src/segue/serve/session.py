"""How the page authenticates: a cookie for its own origin, on this machine only. The page never holds an API key.

- The page opens only where the service listens on loopback, and only under a loopback name: a foreign name that was
  made to point here (DNS rebinding) is refused by its `Host`, and what a proxy passes on from elsewhere by the headers
  that proxies add. `serve.page = "off"` closes it. On this machine, everybody may look: there is no password.
- The session does what the page does and no more: `Access.need_or_page` says where it is good.
- The cookie is HttpOnly and SameSite=Strict, is named after the port (cookies are shared between ports), and is signed
  with a secret of the workspace. It ends after twelve hours.
- What is asked with the cookie must come from the page itself: the header `X-Segue-Page` (which another origin cannot
  send without a permission that we never give), and `Origin` and `Sec-Fetch-Site`, where the browser sends them,
  must say so.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from http.cookies import CookieError, SimpleCookie

from segue.serve.problems import Refusal
from segue.serve.settings import ServeSettings

SECONDS = 12 * 3600
PROXIES = (b"forwarded", b"x-real-ip")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Sessions:
    """Gives out and checks the page's cookie."""

    def __init__(self, secret: bytes, settings: ServeSettings) -> None:
        self._secret = secret
        self._page = settings.page
        self._local = settings.host in LOOPBACK
        self._name = f"segue_{settings.port}"
        self._hosts = frozenset(
            name.encode() for host in ("127.0.0.1", "localhost", "[::1]") for name in (host, f"{host}:{settings.port}")
        )

    def cookie(self) -> tuple[bytes, bytes]:
        """The header that gives a browser its session."""
        ends = str(int(time.time()) + SECONDS)
        value = f"{ends}.{self._signature(ends)}"
        return b"set-cookie", f"{self._name}={value}; Path=/; Max-Age={SECONDS}; HttpOnly; SameSite=Strict".encode()

    def check_host(self, headers: dict[bytes, bytes]) -> None:
        """Refuse what does not come from this machine, to this machine, by one of its own names."""
        if self._page == "off":
            raise Refusal("page_closed", '`serve.page` is "off"', mend='set it to "loopback" and serve again')
        if not self._local:
            raise Refusal(
                "page_closed",
                "the service listens on more than loopback",
                mend="serve on 127.0.0.1 and open the page there, or through `ssh -L 8000:127.0.0.1:8000`",
            )
        if passed := [name for name in headers if name in PROXIES or name.startswith(b"x-forwarded-")]:
            raise Refusal(
                "page_closed",
                f"the header {passed[0].decode('latin-1')!r} says that a proxy passed this on from elsewhere",
                mend="open the page on the service's own machine, or through `ssh -L 8000:127.0.0.1:8000`",
            )
        host = headers.get(b"host", b"").lower()
        if host not in self._hosts:
            raise Refusal("wrong_host", f"the page does not answer to {host.decode('latin-1')!r}", mend="use 127.0.0.1")

    def holds(self, headers: dict[bytes, bytes]) -> bool:
        """Whether the request carries a good cookie, from the page itself. False where there is no cookie at all."""
        value = self._sent(headers)
        if value is None:
            return False
        self.check_host(headers)
        self._check_origin(headers)
        ends, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(ends).encode()) or int(ends) < time.time():
            raise Refusal("wrong_key", "the page's session is over", mend="load the page again")
        return True

    def _check_origin(self, headers: dict[bytes, bytes]) -> None:
        origin = headers.get(b"origin")
        foreign = origin is not None and origin.partition(b"://")[2].lower() not in self._hosts
        site = headers.get(b"sec-fetch-site", b"same-origin")
        if foreign or site != b"same-origin" or b"x-segue-page" not in headers:
            raise Refusal("cross_origin", "the page's session is good for requests of the page itself only")

    def _sent(self, headers: dict[bytes, bytes]) -> str | None:
        if b"cookie" not in headers:
            return None
        try:
            cookies = SimpleCookie(headers[b"cookie"].decode("latin-1"))
        except CookieError:
            return None
        return cookies[self._name].value if self._name in cookies else None

    def _signature(self, ends: str) -> str:
        return hmac.new(self._secret, ends.encode(), hashlib.sha256).hexdigest()

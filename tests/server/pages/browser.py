"""A browser without scripts: it keeps cookies, and fills forms from their pages."""

import re
from html import unescape
from urllib.parse import urlencode

from tests.server.client import Reply, call

FORM = "application/x-www-form-urlencoded"


class Browser:
    """A browser at a server; `url` is the API's base URL."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self._origin = url.removesuffix("/v1")
        self._headers = {"Accept": "text/html,*/*;q=0.8"} | (headers or {})
        self.cookies: dict[str, str] = {}
        self.page = Reply(0, {}, b"")
        """The latest answer."""

    @property
    def text(self) -> str:
        """The latest page."""
        return self.page.body.decode()

    def open(self, path: str, **headers: str) -> Reply:
        """Open an address, and return its answer."""
        return self._call("GET", path, None, headers)

    def follow(self) -> Reply:
        """Open the address to which the latest answer leads."""
        assert self.page.status == 303, self.page
        return self.open(self.page.headers["location"])

    def token(self) -> str:
        """Return the token of the forms on the latest page."""
        found = re.search(r'name="token" value="([^"]+)"', self.text)
        assert found, self.text
        return unescape(found[1])

    def send(self, path: str, fields: dict[str, str], **headers: str) -> Reply:
        """Send a form."""
        return self._call("POST", path, urlencode(fields).encode(), {"Content-Type": FORM} | headers)

    def sign_in(self, key: str) -> Reply:
        """Sign in with a key."""
        self.open("/viewer/login")
        return self.send("/viewer/login", {"token": self.token(), "key": key})

    def _call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = self._headers | headers | ({"Cookie": cookies} if cookies else {})
        self.page = call(self._origin, method, path, body, given)
        if "set-cookie" in self.page.headers:
            pair, *attributes = self.page.headers["set-cookie"].split("; ")
            assert {"Path=/viewer", "HttpOnly", "SameSite=Strict"} <= set(attributes)
            name, _, value = pair.partition("=")
            self.cookies[name] = value
        return self.page

"""Interfaces of the HTTP clients."""

from collections.abc import Mapping
from typing import Protocol

from antiphon.backends.http.answer import Timeouts
from antiphon.backends.http.target import Target


class Response(Protocol):
    """A response, complete or still arriving; it must be closed."""

    @property
    def status(self) -> int:
        """The HTTP status, 200 or more."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, with names in lower case; of several with one name the last."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether the end of the body has arrived; `read` returns the rest at once."""
        ...

    async def read(self) -> bytes:
        """Return the unread bytes of the body once there are some; b"" at its end.

        Raises:
            HttpError: The response failed before its end.
        """
        ...

    async def close(self) -> None:
        """Abandon the rest of the response; this closes an unfinished connection."""
        ...


class Client(Protocol):
    """A client for requests to one or more backends."""

    async def request(self, target: Target, body: bytes, timeouts: Timeouts) -> Response:
        """Send a request; return the response as soon as its headers have arrived.

        Raises:
            HttpError: The connection or the response failed.
        """
        ...

    @property
    def calls_in_progress(self) -> int:
        """The number of responses that are awaited or arriving."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...

"""Traces that continue in backends, by headers of each request."""

from collections.abc import Callable, Mapping

from antiphon.backends.http.answer import Timeouts
from antiphon.backends.http.protocol import Client, Response
from antiphon.backends.http.target import Target, with_headers

TraceHeaders = Callable[[], Mapping[str, str]]
"""Function that returns the headers with the trace of the code that runs now."""


class TracedClient:
    """A client that adds the current trace to each request.

    Args:
        inner: The client, which its owner closes.
        trace_headers: Returns the headers.
    """

    def __init__(self, inner: Client, trace_headers: TraceHeaders) -> None:
        self._inner = inner
        self._trace_headers = trace_headers

    async def request(self, target: Target, body: bytes, timeouts: Timeouts) -> Response:
        """Send a request with the trace; return the response as soon as its headers have arrived.

        Raises:
            HttpError: The connection or the response failed.
        """
        return await self._inner.request(with_headers(target, self._trace_headers()), body, timeouts)

    @property
    def calls_in_progress(self) -> int:
        """The number of responses that are awaited or arriving."""
        return self._inner.calls_in_progress

    async def close(self) -> None:
        """Do nothing: the owner of the client closes it."""

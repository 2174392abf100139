"""Asks a search service over HTTP, and words what goes wrong."""

import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from antiphon.errors import UpstreamBroken, UpstreamRefused, UpstreamUnreachable
from antiphon.settings.values import Secret
from antiphon.wire.json import JSON, JSONObject

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""The longest answer of a search service that is read."""
_EXCERPT = 200


class SearchService:
    """A search service that answers with JSON, and the key that it wants."""

    def __init__(
        self, client: "httpx2.AsyncClient", name: str, base_url: str, api_key: Secret | None
    ) -> None:
        self._client = client
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key

    async def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> JSONObject:
        """Returns the answer to a GET; raises `UpstreamError`."""
        return await self._ask("GET", path, headers, query=query)

    async def post(self, path: str, body: JSONObject, headers: Mapping[str, str]) -> JSONObject:
        """Returns the answer to a POST of JSON; raises `UpstreamError`."""
        return await self._ask("POST", path, headers, body=body)

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        body: JSONObject | None = None,
    ) -> JSONObject:
        import httpx2  # Not before a search: it would lengthen every start.

        try:
            async with self._client.stream(
                method,
                self._base_url + path,
                params=query,
                json=body,
                headers={"Accept": "application/json", **headers},
                # Nobody but the configured service is to see the key.
                follow_redirects=False,
            ) as response:
                return self._read(response, await _whole(response))
        except httpx2.ConnectError as error:
            raise UpstreamUnreachable(self._speaks(f"cannot connect: {_reason(error)}")) from error
        except httpx2.HTTPError as error:
            raise UpstreamBroken(self._speaks(f"the answer broke off: {type(error).__name__}")) from error

    def _read(self, response: "httpx2.Response", data: bytes) -> JSONObject:
        status = response.status_code
        if status >= 400:
            raise UpstreamRefused(
                self._speaks(f"HTTP {status}: {self._excerpt(data) or response.reason_phrase}"),
                upstream_status=status,
            )
        if status >= 300:
            raise UpstreamBroken(
                self._speaks(f"it redirects to {response.headers.get('Location', 'nowhere')}")
            )
        if len(data) > MAX_ANSWER_BYTES:
            raise UpstreamBroken(self._speaks(f"its answer is longer than {MAX_ANSWER_BYTES} bytes"))
        try:
            answer: JSON = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamBroken(
                self._speaks(f"its answer is not JSON: {self._excerpt(data) or 'empty'}")
            ) from error
        if not isinstance(answer, dict):
            raise UpstreamBroken(self._speaks(f"its answer is not a JSON object: {self._excerpt(data)}"))
        return answer

    def _speaks(self, text: str) -> str:
        return f"Web search ({self._name}): {self._masked(text)}"

    def _excerpt(self, data: bytes) -> str:
        text = self._masked(data.decode(errors="replace"))
        return " ".join(text[: 4 * _EXCERPT].split())[:_EXCERPT]

    def _masked(self, text: str) -> str:
        """The text without the key, which services like to repeat."""
        return text if self._api_key is None else text.replace(self._api_key.reveal(), "***")


def dicts(value: JSON) -> list[JSONObject]:
    """Returns the objects of what should be a list of objects."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _reason(error: BaseException) -> str:
    """Why there is no connection; where the service is, is nobody's business but the operator's."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "its name is not found"
        if isinstance(cause, ssl.SSLError):
            return "its certificate is not trusted"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
    return "no connection"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and what it came from; of several attempts the first."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__


async def _whole(response: "httpx2.Response") -> bytes:
    """The body, or so much of it that it is known to be too long."""
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            break
    return bytes(data)

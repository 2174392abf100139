"""HTTP requests to search services, and their errors."""

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
"""Size limit in bytes of a search service's response."""
_EXCERPT = 200
_MESSAGES = ("error", "detail", "message")
"""Keys of messages in the errors of search services, also inside of each other."""
_DEPTH = 3


class SearchService:
    """A search service with JSON responses, and its API key."""

    def __init__(
        self, client: "httpx2.AsyncClient", name: str, base_url: str, api_key: Secret | None
    ) -> None:
        self._client = client
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key

    async def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> JSONObject:
        """Send a GET request and return the response.

        Raises:
            UpstreamError: The service failed.
        """
        return await self._ask("GET", path, headers, query=query)

    async def post(self, path: str, body: JSONObject, headers: Mapping[str, str]) -> JSONObject:
        """Send a POST request with JSON and return the response.

        Raises:
            UpstreamError: The service failed.
        """
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
        import httpx2  # Imported late: it slows down startup.

        try:
            async with self._client.stream(
                method,
                self._base_url + path,
                params=query,
                json=body,
                headers={"Accept": "application/json", **headers},
                # Only the configured service may see the key.
                follow_redirects=False,
            ) as response:
                return self._read(response, await _whole(response))
        except httpx2.ConnectError as error:
            raise UpstreamUnreachable(self._speaks(f"cannot connect: {_reason(error)}")) from error
        except httpx2.HTTPError as error:
            raise UpstreamBroken(self._speaks(f"the answer is incomplete: {type(error).__name__}")) from error

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
                self._speaks(f"its answer is not JSON: {self._excerpt(data) or _kind_of(data)}")
            ) from error
        if not isinstance(answer, dict):
            raise UpstreamBroken(self._speaks(f"its answer is not a JSON object: {self._excerpt(data)}"))
        return answer

    def _speaks(self, text: str) -> str:
        return f"Web search ({self._name}): {self._masked(text)}"

    def _excerpt(self, data: bytes) -> str:
        """Return the message of an answer, or its start; the text of HTML isn't worth one."""
        text = self._masked(_message_in(data))
        return " ".join(text[: 4 * _EXCERPT].split())[:_EXCERPT]

    def _masked(self, text: str) -> str:
        """Return the text without the key, which some services repeat in errors."""
        return text if self._api_key is None else self._api_key.masked(text)


def _kind_of(data: bytes) -> str:
    return "an HTML page" if data.strip() else "empty"


def _message_in(data: bytes) -> str:
    """Return the message of an error in JSON, nothing for HTML, and all other text as it is."""
    text = data.decode(errors="replace").strip()
    if text.startswith("<"):
        return ""
    try:
        value: JSON = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text
    for _ in range(_DEPTH):
        if isinstance(value, dict):
            value = next((value[name] for name in _MESSAGES if value.get(name)), None)
    return value if isinstance(value, str) else text


def dicts(value: JSON) -> list[JSONObject]:
    """Return the objects in a list; other values are ignored."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _reason(error: BaseException) -> str:
    """Return the reason for a failed connection, without the service's address."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "its name was not found"
        if isinstance(cause, ssl.SSLError):
            return "its certificate is not trusted"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
    return "no connection"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes; only the first one of an error group."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__


async def _whole(response: "httpx2.Response") -> bytes:
    """Return the body, or enough of it to exceed the limit."""
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            break
    return bytes(data)

"""Asks a search service over HTTP, and words what goes wrong."""

import os
from collections.abc import Mapping

import aiohttp
import msgspec
from aiohttp import ClientResponse, ClientSession

from antiphon.config_values import Secret
from antiphon.errors import UpstreamBroken, UpstreamRefused, UpstreamUnreachable
from antiphon.wire.json import JSON, JSONObject

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""The longest answer of a search service that is read."""
_EXCERPT = 200


class SearchService:
    """A search service that answers with JSON, and the key that it wants."""

    def __init__(self, session: ClientSession, name: str, base_url: str, api_key: Secret | None) -> None:
        self._session = session
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
        try:
            async with self._session.request(
                method,
                self._base_url + path,
                params=query,
                json=body,
                headers={"Accept": "application/json", **headers},
                # Nobody but the configured service is to see the key.
                allow_redirects=False,
            ) as response:
                return self._read(response, await _whole(response))
        except aiohttp.ClientConnectorError as error:
            raise UpstreamUnreachable(self._speaks(f"cannot connect: {_reason(error)}")) from error
        except aiohttp.ClientError as error:
            raise UpstreamBroken(self._speaks(f"the answer broke off: {type(error).__name__}")) from error

    def _read(self, response: ClientResponse, data: bytes) -> JSONObject:
        if response.status >= 400:
            raise UpstreamRefused(
                self._speaks(f"HTTP {response.status}: {self._excerpt(data) or response.reason}"),
                upstream_status=response.status,
            )
        if response.status >= 300:
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


def _reason(error: aiohttp.ClientConnectorError) -> str:
    """Why there is no connection; where the service is, is nobody's business but the operator's."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not found"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate is not trusted"
    return os.strerror(error.errno) if error.errno and error.errno > 0 else "no connection"


async def _whole(response: ClientResponse) -> bytes:
    """The body, or so much of it that it is known to be too long."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            break
    return bytes(data)

"""Requests to an images backend (`/images/generations`), with and without a stream."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal

import msgspec

from antiphon.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.settings.tools import ImageGenerationSettings
from antiphon.tools.context import ToolServices
from antiphon.wire.json import JSON, JSONObject

if TYPE_CHECKING:
    import httpx2

PROVIDER = "images"
"""The provider of the calls in recordings."""
_EXCERPT = 300
_SHARED = ("size", "quality", "background", "output_format")


class ImageCalls:
    """`ToolCalls` to the images backend, with the limits of the settings."""

    is_repeatable: Literal[True] = True

    def __init__(self, services: ToolServices) -> None:
        self._services = services
        self._settings = services.settings.image_generation

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Generate an image from the body of a request.

        Returns:
            An object with `b64_json`, perhaps `revised_prompt` and the settings that were used, and
            `partial_images` in base64.

        Raises:
            UpstreamError: The backend failed.
        """
        import httpx2  # Imported late: it slows down startup.

        settings = self._settings
        async with self._services.slots.of(PROVIDER, settings.concurrency):
            try:
                async with asyncio.timeout(settings.timeout):
                    return await self._generated(arguments)
            except TimeoutError as error:
                raise UpstreamTimeout(f"Images backend: no image within {settings.timeout:g} s") from error
            except httpx2.ConnectError as error:
                raise UpstreamUnreachable("Images backend: cannot connect") from error
            except httpx2.HTTPError as error:
                text = f"Images backend: the answer is incomplete: {type(error).__name__}"
                raise UpstreamBroken(text) from error

    async def _generated(self, body: JSONObject) -> JSONObject:
        url, headers = f"{self._settings.base_url}/images/generations", _headers(self._settings)
        client = self._services.images_client
        async with client.stream("POST", url, json=body, headers=headers) as response:
            if response.status_code != 200:
                data = await _whole(response, self._settings.max_bytes)
                raise _refused(response.status_code, data, self._settings)
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                return await _streamed(response, self._settings.max_bytes)
            return _image(await _whole(response, self._settings.max_bytes))


def _headers(settings: ImageGenerationSettings) -> dict[str, str]:
    key = settings.api_key
    return {} if key is None else {"Authorization": f"Bearer {key.reveal()}"}


async def _streamed(response: "httpx2.Response", max_bytes: int) -> JSONObject:
    partial: list[str] = []
    async for event in _events(response, max_bytes):
        image = event.get("b64_json")
        if not isinstance(image, str):
            if event.get("error") or event.get("type") == "error":
                raise UpstreamError(f"Images backend: {_message(event)}")
            continue
        if event.get("type") == "image_generation.completed":
            return {**_described(event), "b64_json": image, "partial_images": partial}
        partial.append(image)
    raise UpstreamBroken("Images backend: its stream ended without an image")


async def _events(response: "httpx2.Response", max_bytes: int) -> AsyncIterator[JSONObject]:
    size = 0
    async for line in response.aiter_lines():
        size += len(line)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if line.startswith("data:") and (text := line[5:].strip()) != "[DONE]":
            yield _object(text.encode())


def _image(data: bytes) -> JSONObject:
    answer = _object(data)
    images = answer.get("data")
    image = images[0] if isinstance(images, list) and images else None
    if not isinstance(image, dict) or not isinstance(image.get("b64_json"), str):
        raise UpstreamBroken("Images backend: its answer has no image in base64 ('b64_json')")
    found = _described(answer) | {"b64_json": image["b64_json"], "partial_images": []}
    if isinstance(image.get("revised_prompt"), str):
        found["revised_prompt"] = image["revised_prompt"]
    return found


def _described(answer: JSONObject) -> JSONObject:
    return {name: answer[name] for name in _SHARED if isinstance(answer.get(name), str)}


def _object(data: bytes) -> JSONObject:
    try:
        value: JSON = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamBroken("Images backend: its answer is not JSON") from error
    if not isinstance(value, dict):
        raise UpstreamBroken("Images backend: its answer is not a JSON object")
    return value


def _refused(status: int, data: bytes, settings: ImageGenerationSettings) -> UpstreamRefused:
    try:
        text = _message(_object(data))
    except UpstreamBroken:
        text = data[:_EXCERPT].decode(errors="replace")
    masked = text if settings.api_key is None else settings.api_key.masked(text)
    return UpstreamRefused(f"Images backend: HTTP {status}: {masked[:_EXCERPT]}", upstream_status=status)


def _message(answer: JSONObject) -> str:
    error = answer.get("error")
    message = error.get("message") if isinstance(error, dict) else error or answer.get("message")
    return str(message)[:_EXCERPT]


async def _whole(response: "httpx2.Response", max_bytes: int) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(data)


def _too_large(max_bytes: int) -> UpstreamBroken:
    return UpstreamBroken(f"Images backend: its answer is longer than {max_bytes} bytes")

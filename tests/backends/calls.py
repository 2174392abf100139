"""Calls to a scripted backend, for tests of its client."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from antiphon.backends.chat_model import HttpChatModel
from antiphon.backends.connections import Clients
from antiphon.errors import (
    AntiphonError,
)
from antiphon.settings.backends import BackendSettings
from antiphon.settings.values import Secret
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON
from tests.support.upstream import Answer, Upstream

T = TypeVar("T")
REQUEST: ChatRequest = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAMING: ChatRequest = {**REQUEST, "stream": True}
KEY = "sk-canary-4711"


def backend(url: str, **settings: JSON) -> BackendSettings:
    return BackendSettings(name="house", base_url=url, api_key=Secret(KEY), **settings)


@asynccontextmanager
async def chat_model(settings: BackendSettings) -> AsyncGenerator[HttpChatModel, None]:
    clients = Clients()
    try:
        yield HttpChatModel(clients.of(settings), settings)
    finally:
        await clients.close()


async def streamed(model: HttpChatModel, request: ChatRequest = STREAMING) -> list[bytes]:
    return [payload async for batch in model.stream(request) for payload in batch]


def in_every_way(settings: BackendSettings) -> list[AntiphonError]:
    """Return the errors of a stream, a non-streaming response and a non-streaming chat completion."""

    async def run() -> list[AntiphonError]:
        errors = []
        async with chat_model(settings) as model:
            ways = (
                lambda: streamed(model),
                lambda: streamed(model, REQUEST),
                lambda: model.complete(REQUEST),
            )
            for call in ways:
                with pytest.raises(AntiphonError) as caught:
                    await call()
                errors.append(caught.value)
        return errors

    errors = asyncio.run(run())
    for error in errors:
        assert error.message.startswith("house: ") or "(house: " in error.message
        assert KEY not in error.message
        assert "\n" not in error.message
    return errors


def against(upstream: Upstream, call: Callable[[HttpChatModel], Awaitable[T]], **settings: JSON) -> T:
    async def run() -> T:
        async with chat_model(backend(upstream.base_url, **settings)) as model:
            return await call(model)

    return asyncio.run(run())


def stream_from(*answers: Answer, request: ChatRequest = STREAMING, **settings: JSON) -> list[bytes]:
    with Upstream() as upstream:
        upstream.script(*answers)
        return against(upstream, lambda model: streamed(model, request), **settings)


def complete_from(*answers: Answer) -> bytes:
    with Upstream() as upstream:
        upstream.script(*answers)
        return against(upstream, lambda model: model.complete(REQUEST))


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def envelope(
    message: str, code: JSON = None, param: JSON = None, kind: str = "invalid_request_error"
) -> JSON:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}

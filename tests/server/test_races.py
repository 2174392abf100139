"""Races between the end of a response, its commit, and the disconnect of the client, on a real store."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from pathlib import Path

import msgspec
import pytest

from antiphon.decode import bodies
from antiphon.engine.ports import Endpoint, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest
from antiphon.service.responses.responses import Responses
from antiphon.service.responses.run import Run
from antiphon.settings.backends import PRESETS, Capabilities
from antiphon.store import Store
from antiphon.store.responses.rows import FinishedResponse, NewConversation
from antiphon.wire.chat import ChatRequest
from antiphon.wire.events import Event, ResponseFailed
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.lists import PageQuery
from antiphon.wire.models import BackendHealth, ModelList, Provider
from tests.support.upstream import chunk

OWNER = "local"


_opened: ContextVar[AsyncExitStack] = ContextVar("opened")
"""The open responses of a test, closed at its end."""


class Scripted:
    """A catalogue of one model, which streams its batches and then fails with `fault`."""

    def __init__(self, *batches: list[JSON]) -> None:
        self._batches = batches
        self.fault: Exception | None = None

    @property
    def capabilities(self) -> Capabilities:
        return PRESETS["openai"]

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        for batch in self._batches:
            yield [msgspec.json.encode(each) for each in batch]
        if self.fault is not None:
            raise self.fault

    async def complete(self, request: ChatRequest) -> bytes:
        raise NotImplementedError

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        return ResolvedModel(self, "m", "up/m")

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        raise NotImplementedError

    async def embedding_model(self, context: RequestContext) -> str | None:
        return None

    async def backend_health(self, seconds: float) -> list[BackendHealth]:
        raise NotImplementedError

    async def providers(self) -> list[Provider]:
        raise NotImplementedError

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        return inner

    async def list_models(self) -> ModelList:
        return ModelList(data=[])

    def calls_in_progress(self) -> int:
        return 0

    def notices(self) -> list[str]:
        return []

    async def close(self) -> None:
        return None


HELLO: list[JSON] = [chunk("Hello"), chunk(finish="stop")]


def with_store(path: Path, test: Callable[[Store], Awaitable[None]]) -> None:
    async def run() -> None:
        store = await Store.open(str(path / "state.db"))
        try:
            async with AsyncExitStack() as opened:
                _opened.set(opened)
                await test(store)
        finally:
            await store.close()

    asyncio.run(run())


async def created(store: Store, model: Scripted, **request: JSON) -> Run:
    body = bodies.create_response.decode(msgspec.json.encode({"model": "up/m", "input": "Hi"} | request))
    created = await Responses(store, model).create(RequestContext(owner=OWNER), body)
    return await _opened.get().enter_async_context(created)


async def collected(run: Run) -> list[Event]:
    return [event async for events in run.events() for event in events]


async def conversation(store: Store) -> str:
    new = NewConversation(id="conv_1", created_at=1.0, metadata="{}", items=[], item_ids=[])
    await store.conversations.create(OWNER, new)
    return new.id


async def status_of(store: Store, run: Run) -> str:
    await store.servers.heartbeat()  # after the pending writes
    found = await store.responses.get(OWNER, run.loop.response.id)
    assert found is not None
    return found.status


def test_the_client_goes_while_the_end_is_committed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(store: Store) -> None:
        run = await created(store, Scripted(HELLO), conversation=await conversation(store))
        committing = asyncio.Event()
        finish = store.pending.finish

        def finish_and_tell(owner: str, finished: FinishedResponse) -> asyncio.Future[None]:
            committing.set()
            return finish(owner, finished)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store.pending, "finish", finish_and_tell)
            task = asyncio.create_task(collected(run))
            await committing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert run.final is not None
        assert run.final.status == "completed"
        assert await status_of(store, run) == "completed"
        assert len((await store.conversations.list_items(OWNER, "conv_1", PageQuery())).items) == 2

    with_store(tmp_path, check)
    assert caplog.text == ""


def test_a_response_that_cannot_begin_frees_its_conversation(tmp_path: Path) -> None:
    item: JSON = {"type": "message", "id": "msg_mine", "role": "user", "content": "Hi"}

    async def check(store: Store) -> None:
        named = await conversation(store)
        late = await created(store, Scripted(HELLO), conversation=named, input=[item | {"content": "Ho"}])
        first = await created(store, Scripted(HELLO), input=[item])
        await collected(first)
        events = await collected(late)
        assert isinstance(events[-1], ResponseFailed)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert isinstance(late.loop.failure, InvalidRequest)
        assert late.loop.failure.message.startswith("Duplicate item found with id msg_mine.")
        again = await created(store, Scripted(HELLO), conversation=named)
        await collected(again)
        assert await status_of(store, again) == "completed"

    with_store(tmp_path, check)


def test_an_error_of_this_server_is_reported_as_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(store: Store) -> None:
        model = Scripted([chunk("Hel")])
        model.fault = ZeroDivisionError("secret detail")
        run = await created(store, model)
        events = await collected(run)
        last = events[-1]
        assert isinstance(last, ResponseFailed)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert last.response.error is not None
        assert last.response.error.code == "server_error"
        assert "secret detail" not in last.response.error.message
        assert await status_of(store, run) == "failed"

    with_store(tmp_path, check)
    assert "ZeroDivisionError: secret detail" in caplog.text


def test_a_run_that_is_closed_early_is_cancelled(tmp_path: Path) -> None:
    async def check(store: Store) -> None:
        run = await created(store, Scripted([chunk("Hel")], HELLO))
        batches = run.events()
        while not any(
            event.__struct_config__.tag == "response.output_text.delta" for event in await anext(batches)
        ):
            pass
        await batches.aclose()
        assert run.final is not None
        assert run.final.status == "cancelled"
        assert await status_of(store, run) == "cancelled"

    with_store(tmp_path, check)


def test_a_finished_run_is_not_cancelled_by_closing_it(tmp_path: Path) -> None:
    async def check(store: Store) -> None:
        run = await created(store, Scripted(HELLO))
        batches = run.events()
        while run.final is None:
            await anext(batches)
        await batches.aclose()
        assert await status_of(store, run) == "completed"

    with_store(tmp_path, check)

"""Blocks that end when the client disconnects; `test_disconnect.py` tests the responses."""

import asyncio

import pytest
from starlette.types import Scope

from antiphon.server.http.exchange import CLIENT, Client, StoppedByDisconnect


def waiting() -> tuple[Client, Scope]:
    client = Client()
    return client, {CLIENT: client}


@pytest.mark.parametrize("before", [True, False])
def test_a_block_is_ended_where_it_stands(before: bool) -> None:
    async def scenario() -> list[str]:
        client, scope = waiting()
        seen = []
        if before:
            client.leave()
        else:
            asyncio.get_running_loop().call_soon(client.leave)
        with StoppedByDisconnect(scope):
            seen.append("begun")
            await asyncio.Event().wait()
            seen.append("never")
        seen.append("after")
        await asyncio.sleep(0)  # The task itself is not cancelled.
        return seen

    assert asyncio.run(scenario()) == ["begun", "after"]


def test_a_block_whose_client_waits_is_left_alone() -> None:
    async def scenario() -> list[str]:
        client, scope = waiting()
        seen = []
        with StoppedByDisconnect(scope):
            await asyncio.sleep(0)
            seen.append("all")
        client.leave()
        await asyncio.sleep(0)
        seen.append("after")
        return seen

    assert asyncio.run(scenario()) == ["all", "after"]


def test_errors_go_on() -> None:
    async def scenario() -> None:
        client, scope = waiting()
        with StoppedByDisconnect(scope):
            client.leave()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(scenario())


@pytest.mark.parametrize("gone", [False, True])
def test_who_cancels_the_task_is_heard(gone: bool) -> None:
    async def work(scope: Scope, begun: asyncio.Event) -> None:
        with StoppedByDisconnect(scope):
            begun.set()
            await asyncio.Event().wait()

    async def scenario() -> None:
        client, scope = waiting()
        begun = asyncio.Event()
        task = asyncio.create_task(work(scope, begun))
        await begun.wait()
        if gone:
            client.leave()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_a_block_may_linger_after_the_disconnect() -> None:
    async def scenario(*, goes_on: bool) -> list[str]:
        client, scope = waiting()
        seen = []
        end, is_left = asyncio.Event(), asyncio.Event()

        async def linger() -> None:
            is_left.set()
            await end.wait()

        with StoppedByDisconnect(scope, linger):
            client.leave()
            await is_left.wait()
            seen.append("left")
            if not goes_on:
                end.set()
                await asyncio.Event().wait()
            seen.append("done")
        end.set()
        await asyncio.sleep(0)  # Nothing cancels the task after the block.
        seen.append("after")
        return seen

    assert asyncio.run(scenario(goes_on=True)) == ["left", "done", "after"]
    assert asyncio.run(scenario(goes_on=False)) == ["left", "after"]


def test_a_cancelled_task_does_not_linger() -> None:
    async def linger() -> None:
        await asyncio.Event().wait()

    async def work(scope: Scope, begun: asyncio.Event) -> None:
        with StoppedByDisconnect(scope, linger):
            begun.set()
            await asyncio.Event().wait()

    async def scenario() -> None:
        client, scope = waiting()
        begun = asyncio.Event()
        task = asyncio.create_task(work(scope, begun))
        await begun.wait()
        client.leave()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())

import asyncio

import pytest

from antiphon.server.stopping import Stoppable


def test_a_block_is_ended_where_it_stands() -> None:
    async def scenario() -> list[str]:
        seen = []
        with Stoppable() as block:
            asyncio.get_running_loop().call_soon(block.stop)
            seen.append("begun")
            await asyncio.Event().wait()
            seen.append("never")
        assert block.is_stopped
        seen.append("after")
        await asyncio.sleep(0)  # The task itself is not cancelled.
        return seen

    assert asyncio.run(scenario()) == ["begun", "after"]


def test_a_block_that_is_not_stopped_is_left_alone() -> None:
    async def scenario() -> bool:
        with Stoppable() as block:
            await asyncio.sleep(0)
        return block.is_stopped

    assert not asyncio.run(scenario())


def test_errors_go_on() -> None:
    async def scenario() -> None:
        with Stoppable() as block:
            block.stop()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(scenario())


@pytest.mark.parametrize("stopped", [False, True])
def test_who_cancels_the_task_is_heard(stopped: bool) -> None:
    async def work(begun: "asyncio.Future[Stoppable]") -> None:
        with Stoppable() as block:
            begun.set_result(block)
            await asyncio.Event().wait()

    async def scenario() -> None:
        begun: asyncio.Future[Stoppable] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(work(begun))
        block = await begun
        if stopped:
            block.stop()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())

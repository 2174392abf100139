"""Lines of batches with several model calls and tool calls, whose server stops at any point."""

import asyncio
import contextlib
import sys
from pathlib import Path

import pytest

from antiphon.errors import StoreUnavailable, UpstreamRefused
from antiphon.service.batches import lines as module
from antiphon.service.batches.slots import LineLimits
from antiphon.store import Store
from antiphon.store.batches.rows import LineStep
from antiphon.store.runs.rows import Fenced
from antiphon.wire.batches import Batch
from antiphon.wire.json import JSON, JSONObject
from tests.durable.batching import ID, BatchServers, FailingStore
from tests.durable.crashing import TOOL, Crash, HarmlessTool, Servers, Tool
from tests.durable.test_batches import delete
from tests.server.batching import line
from tests.store.conftest import Run
from tests.store.samples import count_rows
from tests.support.thorough import some_of

STORED = line("looks", tools=[TOOL])
UNSTORED = line("looks", tools=[TOOL], store=False)
CALLS = 3
"""Number of the model calls of the line."""


class Looking:
    """Servers that execute a batch of one line with three model calls and two tool calls."""

    def __init__(self, store: Store, folder: Path, tool: Tool | None = None) -> None:
        self.store = store
        self.responding = Servers(store, tool or HarmlessTool())
        self.servers = BatchServers(store, folder, LineLimits(per_process=1), self.responding)
        self.rounds = self.responding.model.rounds
        """How often each model call was made."""

    async def crash(self, at: int, request: JSON, *, is_committed: bool) -> tuple[int, bool]:
        """Execute the batch until its process crashes at a store call.

        Returns:
            The number of store calls, and whether the execution raised.
        """
        await self.servers.submit(request)
        claimed = await self.servers.claim()
        crash = FailingStore(self.store, at, is_committed=is_committed, error=Crash, and_after=True)
        with crash:
            try:
                await self.servers.go_on(claimed)
            except Crash:
                await asyncio.sleep(0)
                return crash.count, True
        return crash.count, False

    async def finished_calls(self) -> set[int]:
        """Return the numbers of the model calls that the database has as finished."""
        if 1 in await self.store.batches.finished_lines(ID):
            return {*range(CALLS)}
        steps = await self.store.batches.steps(ID, 1)
        return {int(name.removeprefix("model:")) for name in steps if name.startswith("model:")}

    async def go_on(self) -> Batch:
        """Execute the batch to its end on the next server, and return it."""
        again = await self.servers.claim()
        return await (self.servers.get() if again is None else self.servers.go_on(again))

    async def output(self, batch: Batch) -> JSONObject:
        """Return the response of the line."""
        found = await self.servers.results(batch.output_file_id)
        response: JSONObject = found["looks"]["response"]["body"]
        return response


@pytest.mark.parametrize("request_", [STORED, UNSTORED], ids=["stored", "unstored"])
@pytest.mark.parametrize("is_committed", [False, True])
def test_a_crash_at_any_store_call_repeats_no_finished_call(
    store: Store, url: str, run: Run, tmp_path: Path, request_: JSONObject, *, is_committed: bool
) -> None:
    async def scenario() -> None:
        count, _ = await Looking(store, tmp_path).crash(sys.maxsize, request_, is_committed=False)
        await delete(store)
        continued = 0
        for at in some_of(range(1, count + 1), 2):
            looking = Looking(store, tmp_path)
            await looking.crash(at, request_, is_committed=is_committed)
            finished, before = await looking.finished_calls(), looking.rounds.copy()
            continued += 0 < len(finished) < CALLS
            batch = await looking.go_on()
            counts = batch.request_counts
            assert (batch.status, counts.total, counts.completed) == ("completed", 1, 1), at
            response = await looking.output(batch)
            assert response["output"][-1]["content"][0]["text"] == "All done."
            assert [item["type"] for item in response["output"]].count("mcp_call") == 2
            for number in range(CALLS):
                again = looking.rounds[number] - before[number]
                assert again == 0 if number in finished else again <= 1, (at, number)
            await delete(store)
        assert continued > 0, "no crash was between two calls"
        assert count_rows(url)["batch_steps"] == 0

    run(scenario())


def test_a_tool_call_that_changes_something_is_made_once(store: Store, run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        count, _ = await Looking(store, tmp_path, Tool()).crash(sys.maxsize, STORED, is_committed=False)
        await delete(store)
        unknown = 0
        for at in some_of(range(1, count + 1), 2):
            looking = Looking(store, tmp_path, Tool())
            await looking.crash(at, STORED, is_committed=True)
            response = await looking.output(await looking.go_on())
            assert max(looking.responding.tool.made.values()) == 1
            unknown += sum("its outcome is unknown" in str(item.get("error")) for item in response["output"])
            await delete(store)
        assert unknown >= 1, "no crash was in the middle of a call"

    run(scenario())


def test_a_repetition_of_a_line_repeats_no_finished_call(
    store: Store, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0))

    async def scenario() -> None:
        looking = Looking(store, tmp_path)
        model = looking.responding.model
        stream, failures = model.stream, [UpstreamRefused("busy", upstream_status=429)]

        async def busy(request):  # type: ignore[no-untyped-def]
            if sum(message["role"] == "tool" for message in request["messages"]) == 2 and failures:
                raise failures.pop()
            async for batch in stream(request):
                yield batch

        monkeypatch.setattr(model, "stream", busy)
        await looking.servers.submit(STORED)
        batch = await looking.go_on()
        assert (await looking.output(batch))["status"] == "completed"
        assert looking.rounds == {0: 1, 1: 1, 2: 1}
        assert looking.responding.tool.made == {"1": 1, "2": 1}

    run(scenario())


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_line_survives_the_failure_of_any_store_call(
    store: Store, run: Run, tmp_path: Path, *, is_committed: bool
) -> None:
    async def scenario() -> None:
        count, _ = await Looking(store, tmp_path).crash(sys.maxsize, STORED, is_committed=False)
        await delete(store)
        for at in some_of(range(1, count + 1), 3):
            looking = Looking(store, tmp_path)
            await looking.servers.submit(STORED)
            claimed = await looking.servers.claim()
            failing = FailingStore(store, at, is_committed=is_committed)
            with failing, contextlib.suppress(StoreUnavailable):
                await looking.servers.go_on(claimed)
            finished, before = await looking.finished_calls(), looking.rounds.copy()
            batch = await looking.go_on()
            assert (batch.status, batch.request_counts.completed) == ("completed", 1), at
            for number in finished:
                assert looking.rounds[number] == before[number], (at, number)
            await delete(store)

    run(scenario())


def test_a_frozen_server_that_wakes_up_stores_no_call(store: Store, run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        looking = Looking(store, tmp_path)
        await looking.servers.submit(STORED)
        old = await looking.servers.claim()
        assert old is not None
        assert await looking.servers.claim() is not None
        step = LineStep(batch_id=ID, epoch=old.epoch, number=1, name="model:0", body="[]")
        with pytest.raises(Fenced):
            await store.batches.add_step(step)
        with pytest.raises(Fenced):
            await looking.servers.go_on(old)
        assert await store.batches.begun_lines(ID) == set()

    run(scenario())

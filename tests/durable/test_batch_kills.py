"""Servers that are killed in the middle of a batch, and of a line with several model calls."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from antiphon.store.batches.tables import batch_lines, batch_steps
from antiphon.store.connect import open_engine
from tests.durable.processes import ANSWERS, Backend, Processes
from tests.durable.test_kills import pause
from tests.server.batching import CHAT, create, ended, line, results
from tests.server.client import get
from tests.support.thorough import often
from tests.support.upstream import Answer, Request, Upstream, completion, reply, streaming

pytestmark = [pytest.mark.slow, pytest.mark.processes]

LINES = 120
VICTIMS = often(1, 2)
"""Number of servers that are killed, one after the other; the last one starts again."""


class LineBackend(Upstream):
    """Backend that repeats the message of each line after a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        """How often each message came."""

    def _next(self, request: Request) -> Answer:
        if request.path.endswith("/models"):
            return self.models_answer
        text = request.json["messages"][-1]["content"]
        self.asked[text] += 1
        return reply(completion(text))

    async def _answer(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if answer is not self.models_answer:
            await asyncio.sleep(0.02)
        return await super()._answer(answer, reader, writer)


class LookingBackend(Backend):
    """Backend that calls a tool twice for each line, and counts the calls of lines."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[tuple[str, int]] = Counter()
        """How often each model call was made: the message of its line, and its number."""

    def _next(self, request: Request) -> Answer:
        if request.path.endswith("/models"):
            return self.models_answer
        messages = request.json["messages"]
        number = sum(message["role"] == "tool" for message in messages)
        self.asked[messages[0]["content"], number] += 1
        return streaming(ANSWERS[number]) if request.json.get("stream") else ANSWERS[number]


def finished_calls(database: str, batch_id: str) -> set[tuple[str, int]]:
    """Return the model calls that the database has as finished, as `LookingBackend` counts them."""
    engine = open_engine(database).reading
    with engine.connect() as connection:
        steps = select(batch_steps.c.number, batch_steps.c.name).where(batch_steps.c.batch_id == batch_id)
        found = {
            (f"line {number}", int(name.removeprefix("model:")))
            for number, name in connection.execute(steps)
            if name.startswith("model:")
        }
    engine.dispose()
    return found | {(text, number) for text in finished(database, batch_id) for number in ANSWERS}


def finished(database: str, batch_id: str) -> set[str]:
    """Return the messages of the lines whose results the database has."""
    engine = open_engine(database).reading
    with engine.connect() as connection:
        numbers = select(batch_lines.c.number).where(batch_lines.c.batch_id == batch_id)
        found = {f"line {number}" for number in connection.execute(numbers).scalars()}
    engine.dispose()
    return found


@pytest.mark.timeout(120)
def test_kills_in_the_middle_of_a_batch_lose_nothing_and_pay_nothing_twice(url: str, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    with LineBackend() as backend, Upstream() as search:
        servers = Processes(tmp_path, url, backend, search)
        try:
            one, two = (server.url for server in servers.pair())
            lines = [line(f"line {number}", CHAT) for number in range(1, LINES + 1)]
            batch_id = create(one, *lines, endpoint=CHAT)["id"]
            paid: Counter[str] = Counter()
            for victim in range(VICTIMS):
                # The other server goes on after the first kill.
                while get(two, f"/batches/{batch_id}").json["request_counts"]["completed"] <= len(paid):
                    pause(0.01)
                pause(chance.uniform(0, 0.1))
                servers.kill(victim)
                paid = Counter({text: backend.asked[text] for text in finished(url, batch_id)})
                assert 0 < len(paid) < LINES
            one = servers.server(VICTIMS % 2).url
            batch = ended(one, batch_id)
            assert batch["status"] == "completed"
            assert batch["request_counts"] == {"total": LINES, "completed": LINES, "failed": 0}
            output = results(one, batch["output_file_id"])
            assert list(output) == [f"line {number}" for number in range(1, LINES + 1)]
            for text, found in output.items():
                assert found["response"]["body"]["choices"][0]["message"]["content"] == text
            assert {text: backend.asked[text] for text in paid} == paid
            # A kill interrupts at most the lines that run.
            assert backend.asked.total() <= LINES + 2 * 8
        finally:
            servers.close()


@pytest.mark.timeout(120)
def test_kills_in_the_middle_of_lines_repeat_no_finished_model_call(url: str, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    texts = [f"line {number}" for number in range(1, 25)]
    with LookingBackend() as backend, Upstream() as search:
        servers = Processes(tmp_path, url, backend, search)
        try:
            one, _ = (server.url for server in servers.pair())
            lines = [line(text, tools=[{"type": "web_search"}]) for text in texts]
            batch_id = create(one, *lines)["id"]
            paid: Counter[tuple[str, int]] = Counter()
            for victim in range(VICTIMS):
                while finished_calls(url, batch_id) <= paid.keys():
                    pause(0.01)
                pause(chance.uniform(0, 0.2))
                servers.kill(victim)
                paid = Counter({call: backend.asked[call] for call in finished_calls(url, batch_id)})
                assert len(paid) < len(texts) * len(ANSWERS), "the kill came too late"
            one = servers.server(VICTIMS % 2).url
            batch = ended(one, batch_id)
            assert batch["request_counts"] == {"total": len(texts), "completed": len(texts), "failed": 0}
            output = results(one, batch["output_file_id"])
            assert list(output) == texts
            for found in output.values():
                items = found["response"]["body"]["output"]
                assert [item["type"] for item in items] == ["web_search_call"] * 2 + ["message"]
            assert {call: backend.asked[call] for call in paid} == paid
            # A kill interrupts at most one model call of each line that runs.
            assert backend.asked.total() <= len(texts) * len(ANSWERS) + 2 * 8
        finally:
            servers.close()

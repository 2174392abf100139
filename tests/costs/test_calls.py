"""Cost of fixed work in calls, instructions and SQL statements, which the machine's load doesn't change.

The figures were counted with Python 3.11, which has the most instructions. A change that exceeds a limit
makes every token or every response more expensive; `make bench` shows by how much.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Connection

from antiphon.backends.http.answer import Answer, Timeouts
from antiphon.backends.http.sse import SseSplitter
from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.ids import new_id
from antiphon.server.edge.sse import event_frames
from antiphon.store import Store
from tests.costs.counting import Cost, counted, limit
from tests.engine.replies import chunk
from tests.store.samples import ME, finished, new_response

TOKENS = 1000
PAYLOADS = [chunk(content=f" word{number}") for number in range(TOKENS)]
EVENTS = b"".join(b"data: " + payload + b"\n\n" for payload in PAYLOADS)


def cost_of(work: Callable[[], object]) -> Cost:
    """Return the cost of `work` without that of its first run."""
    work()
    with counted() as cost:
        work()
    return cost


def test_a_read_is_split_without_a_call_for_each_event() -> None:
    cost = cost_of(lambda: SseSplitter().feed(EVENTS))
    assert cost.calls < limit(13)
    assert cost.instructions < limit(164)


def test_a_token_is_assembled_in_eight_calls() -> None:
    def assemble() -> None:
        events = Assembler([], new_id, AssemblyOptions(source="s")).feed(PAYLOADS)
        assert len(events) == TOKENS + 2

    cost = cost_of(assemble)
    assert cost.calls / TOKENS < limit(8)
    assert cost.instructions / TOKENS < limit(140.5)


def test_an_event_is_written_in_one_call() -> None:
    events = Assembler([], new_id, AssemblyOptions(source="s")).feed(PAYLOADS)
    cost = cost_of(lambda: event_frames(events))
    assert cost.calls / TOKENS < limit(1.01)
    assert cost.instructions / TOKENS < limit(24.1)


class Carrier:
    """Connection that has received everything."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    def finish(self, *, usable: bool) -> None:
        """Nothing to do: another connection would carry the next answer."""

    def pause(self) -> None:
        """Nothing to do: no more data arrives."""

    resume = end = overrun = pause


def test_no_code_of_ours_runs_for_an_http_chunk() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(payload), payload) for payload in PAYLOADS)

    async def counted() -> float:
        answers = [Answer(Carrier(), Timeouts(60, 60, 60)) for _ in range(2)]
        waiting = list(answers)
        cost = cost_of(lambda: waiting.pop().take(head + chunks + b"0\r\n\r\n"))
        for answer in answers:
            assert await answer.read() == b"".join(PAYLOADS)
        return cost.calls / TOKENS

    # The list's own `append` is one call for a chunk.
    assert asyncio.run(counted()) < limit(1)


def statements_of(path: Path, respond: Callable[[Store, str], asyncio.Future[None]]) -> list[str]:
    """Return the SQL statements of one response, as the database receives them."""
    seen: list[str] = []

    def note(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    async def run() -> list[str]:
        store = await Store.open(str(path / "a.db"))
        await respond(store, "resp_1")
        engine = store._database._opened.writing
        event.listen(engine, "before_cursor_execute", note)
        await respond(store, "resp_2")
        found = list(seen)
        await store.close()
        return found

    return asyncio.run(run())


def test_a_non_streaming_answer_is_three_inserts(tmp_path: Path) -> None:
    def respond(store: Store, response_id: str) -> asyncio.Future[None]:
        store.pending.begin_later(ME, new_response(response_id, f"msg_{response_id}"), 60)
        return store.pending.finish(ME, finished(response_id, f"out_{response_id}"))

    statements = statements_of(tmp_path, respond)
    assert [statement.split()[0] for statement in statements] == ["BEGIN", "INSERT", "INSERT", "INSERT"]


def test_a_streamed_answer_is_six_writes_and_one_look(tmp_path: Path) -> None:
    def respond(store: Store, response_id: str) -> asyncio.Future[None]:
        store.pending.begin(ME, new_response(response_id, f"msg_{response_id}"))
        return store.pending.finish(ME, finished(response_id, f"out_{response_id}"))

    words = [statement.split()[0] for statement in statements_of(tmp_path, respond) if statement != "BEGIN"]
    assert sorted(word for word in words if word != "BEGIN") == ["INSERT"] * 5 + ["SELECT", "UPDATE"]

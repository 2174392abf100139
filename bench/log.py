"""Cost of the step log: bytes per response, CPU time per response, and lists and searches of many rows.

    python -m bench.log [--only bytes|cpu|lists] [--rows 100000] [--postgresql [URL]]

* `bytes`: an SQLite file with responses of several kinds, with the log and without it. The words of the
  full-text search are counted separately.
* `cpu`: two servers in turns, with the log and without it, as in `bench.synchronous`. The server indexes the
  texts of ended responses meanwhile.
* `lists`: CPU time of this process and of the database for lists and searches. The CPU time of PostgreSQL is
  measured only for a server that this program starts.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Connection, text

from antiphon.decode import bodies
from antiphon.engine.request_context import RequestContext
from antiphon.service.log.entries import Log
from antiphon.serving.services import opened_services
from antiphon.settings.schema import LogContent, Settings
from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.log.rows import LogQuery
from antiphon.store.responses.rows import FinishedResponse, NewItem, NewResponse, ResponseLog
from antiphon.wire.json import JSONObject
from antiphon.wire.log import StoredModelStep, StoredSteps, StoredSummary
from bench.client import Load
from bench.search import postgresql
from bench.servers import OTHER_CORES, antiphon, cpu_of, stub
from bench.synchronous import CASES, values
from bench.table import Table
from bench.workloads import CLIENTS, Target, body, measured

_WORDS = tuple(
    str.split(
        "ferry harbor timetable island morning ticket bridge lantern river market winter garden letter music "
        "window bicycle mountain coffee library station paper cloud"
    )
)
_CONTENTS: tuple[LogContent, LogContent] = ("full", "off")
_EACH = 300
"""Responses of each kind."""
_OWNERS = 5
_BATCH = 500
_TIMES = 20
"""Repetitions of each list and search."""
_RARE = 1000
"""One response in so many has the rare word, the rare tool and the rare status."""


def words(number: int, count: int) -> str:
    """Return a text of words that depends on the number."""
    return " ".join(_WORDS[(number * 7 + place * (place + number)) % len(_WORDS)] for place in range(count))


def kinds() -> Iterator[tuple[str, JSONObject]]:
    """Yield the name and the request of each kind of response."""
    properties = {name: {"type": "string", "description": words(3, 12)} for name in _WORDS}
    parameters = {"type": "object", "properties": properties}
    tool = {"type": "function", "name": "look_up", "description": words(2, 40), "parameters": parameters}
    yield "a question of 12 words", {"input": words(1, 12)}
    yield "instructions of 200 words", {"input": words(1, 12), "instructions": words(2, 200)}
    yield "a function tool of 2 KB", {"input": words(1, 12), "tools": [tool]}
    roles = ("assistant", "user")
    history = [{"role": roles[place % 2], "content": words(place, 60)} for place in range(41)]
    yield "41 messages of 60 words", {"input": history}


async def sized(content: LogContent, request: JSONObject) -> tuple[float, float]:
    """Return the bytes per response in a file, without and with the search index."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/a.db"
        settings = Settings(database=path, discover=False, log_content=content)
        async with opened_services(settings) as services:
            empty = _file_size(path)
            given = msgspec.json.encode({"model": "antiphon/sample", "stream": True, **request})
            for _ in range(_EACH):
                decoded = bodies.create_response.decode(given)
                async with await services.responses.create(RequestContext(), decoded) as run:
                    async for _ in run.events():
                        pass
            plain = _file_size(path)
            await services.store.log.index()
            return (plain - empty) / _EACH, (_file_size(path) - empty) / _EACH


def _file_size(path: str) -> int:
    """Return the bytes of a database without free pages: those of a copy."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(path).reading
        copied = f"{folder}/copy.db"
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("VACUUM INTO ?", (copied,))
            connection.exec_driver_sql("BEGIN")
        engine.dispose()
        return Path(copied).stat().st_size


def compare_bytes(table: Table) -> None:
    """Add the bytes per response of each kind."""
    for name, request in kinds():
        full, indexed = asyncio.run(sized("full", request))
        off, _ = asyncio.run(sized("off", request))
        row = {
            "bytes off": off,
            "bytes full": full,
            "log %": (full / off - 1) * 100,
            "index %": (indexed - full) / off * 100,
        }
        table.add("bytes per response", name, row)


def compare_cpu(table: Table, rounds: int, seconds: float) -> None:
    """Add the CPU time of both servers, and the median of the ratios within each round."""
    os.sched_setaffinity(0, OTHER_CORES)
    with stub() as port, tempfile.TemporaryDirectory() as folder:
        full, off = _CONTENTS
        with (
            antiphon(port, folder, "--log-content", full) as one,
            antiphon(port, folder, "--log-content", off) as other,
        ):
            targets = [Target(full, one, prefix="openai/"), Target(off, other, prefix="openai/")]
            for name, (model, stream) in CASES.items():
                request = body(targets[0], model, stream=stream, store=True)
                load = Load(0, [request], CLIENTS, seconds)
                found: dict[str, list[float]] = {full: [], off: []}
                for number in range(rounds + 1):
                    for target in targets if number % 2 else reversed(targets):
                        load.port = target.server.port
                        cpu = values(measured(load, target.server))["CPU ms/response"]
                        if number:  # The first round only warms up.
                            found[target.name].append(cpu)
                ratios = [each / base for each, base in zip(found[full], found[off], strict=True)]
                row = {f"CPU ms {each}": statistics.median(found[each]) for each in _CONTENTS}
                table.add("CPU per response", name, row | {"ratio": statistics.median(ratios)})


async def fill(store: Store, rows: int, owners: int = _OWNERS) -> None:
    """Store responses with logs, of several owners."""
    for start in range(0, rows, _BATCH):
        futures = [_stored(store, number, owners) for number in range(start, min(rows, start + _BATCH))]
        await asyncio.gather(*futures)
    await store.log.index()


def _message(item_id: str, said: str) -> NewItem:
    body = {"type": "message", "id": item_id, "content": [{"type": "input_text", "text": said}]}
    return NewItem(item_id, "message", json.dumps(body))


def _stored(store: Store, number: int, owners: int) -> "asyncio.Future[None]":
    response_id, owner = f"resp_{number:050x}", f"owner{number % owners}"
    is_rare = number % _RARE == 0
    question = words(number, 30) + (" zeppelin" if is_rare else "")
    given = _message(f"msg_in{number}", question)
    summary = StoredSummary(text=question[:100], seconds=1.5, first=0.2, input=30, output=60, calls=1)
    step = StoredModelStep(at=0.001, seconds=1.4, model="up/m", first=0.2, finish="stop")
    new = NewResponse(
        id=response_id,
        created_at=1_000_000.0 + number,
        model="up/rare" if is_rare else f"up/m{number % 3}",
        body=json.dumps({"id": response_id, "padding": "x" * 1200}),
        input_new=[given],
        input_ids=[given.id],
        key_name=owner,
    )
    tools = ["rare_tool" if is_rare else "web_search"] if number % 4 == 0 else []
    steps = msgspec.json.encode(StoredSteps(steps=[step])).decode()
    log = ResponseLog(msgspec.json.encode(summary).decode(), steps, tools, is_searchable=True)
    store.pending.begin_later(owner, new, 60)
    finished = FinishedResponse(
        id=response_id,
        status="failed" if is_rare else "completed",
        completed_at=1_000_001.0 + number,
        body=new.body,
        output=[_message(f"msg_out{number}", words(number + 1, 60))],
        log=log,
    )
    return store.pending.finish(owner, finished)


QUERIES: dict[str, LogQuery] = {
    "list": LogQuery(),
    "list of an owner": LogQuery(owner="owner3"),
    "model": LogQuery(model="up/m1"),
    "rare model": LogQuery(model="up/rare"),
    "model that nobody used": LogQuery(model="up/none"),
    "errors": LogQuery(errors=True),
    "tool": LogQuery(tool="web_search"),
    "rare tool": LogQuery(tool="rare_tool"),
    "key": LogQuery(key_name="owner3"),
    "frequent word": LogQuery(text="ferry"),
    "frequent words of an owner": LogQuery(text="ferry harbor", owner="owner3"),
    "rare word": LogQuery(text="zeppelin"),
    "rare and frequent word": LogQuery(text="ferry zeppelin"),
    "unknown word": LogQuery(text="unheard"),
    "beginning of a word": LogQuery(text="zep"),
}


def _server_process(connection: Connection) -> int:
    """Return the ID of the process of a PostgreSQL server on this machine."""
    return int(connection.execute(text("SELECT pg_read_file('postmaster.pid')")).scalar_one().split()[0])


def _cpu(server: int | None) -> float:
    """Return the CPU seconds of this process, and of the database if it has one of its own."""
    return time.process_time() + (0.0 if server is None else cpu_of(server))


async def compare_lists(table: Table, database: str, rows: int, *, is_own_server: bool = False) -> None:
    """Fill a database and add the time of each list and search."""
    store = await Store.open(database)
    began = time.perf_counter()
    await fill(store, rows)
    table.add("filling", f"{rows} responses", {"seconds": time.perf_counter() - began})
    log = Log(store)
    server = await store._database.read(_server_process) if is_own_server else None
    middle = {"page in the middle": LogQuery(after=f"resp_{rows // 2:050x}")}
    for name, query in (QUERIES | middle).items():
        cpus, walls, found = [], [], 0
        for _ in range(_TIMES):
            cpu, wall = _cpu(server), time.perf_counter()
            found = len((await log.page(query)).data)
            cpus.append(_cpu(server) - cpu)
            walls.append(time.perf_counter() - wall)
        row = {
            "CPU ms": statistics.median(cpus) * 1000,
            "wall ms": statistics.median(walls) * 1000,
            "rows": float(found),
        }
        table.add("lists and searches", name, row)
    await store.close()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("bytes", "cpu", "lists"))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--postgresql", nargs="?", const="", help="Lists on PostgreSQL.")
    options = parser.parse_args()
    table = Table()
    if options.only in (None, "bytes"):
        compare_bytes(table)
    if options.only in (None, "lists"):
        if options.postgresql is None:
            with tempfile.TemporaryDirectory() as folder:
                asyncio.run(compare_lists(table, f"{folder}/a.db", options.rows))
        else:
            with postgresql(options.postgresql or None) as url:
                asyncio.run(compare_lists(table, url, options.rows, is_own_server=not options.postgresql))
    if options.only in (None, "cpu"):
        compare_cpu(table, options.rounds, options.seconds)


if __name__ == "__main__":
    main()

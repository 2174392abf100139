"""Other processes on the same database: killed ones, and ones that write at the same time."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from antiphon.wire.lists import PageQuery
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, bodies, converse, seen_in

pytestmark = pytest.mark.processes

RESPOND = """
import asyncio, sys
from antiphon.store import Store
from tests.store.samples import respond

async def main(url, name):
    store = await Store.open(url, clock=lambda: 1000.0)
    async def forever(worker):
        number = 0
        while True:
            response = f"{name}_{worker}_{number:06}"
            await respond(store, response, ["in_" + response], ["out_" + response])
            print(response, flush=True)
            number += 1
    await asyncio.gather(*[forever(worker) for worker in range(8)])

asyncio.run(main(*sys.argv[1:]))
"""

ADD = """
import asyncio, sys
from antiphon.store import Store
from tests.store.samples import ME, item

async def main(url, name):
    store = await Store.open(url, clock=lambda: 1000.0)
    for number in range(100):
        added = item(f"{name}_{number:03}")
        await store.conversations.add_items(ME, "conv_1", [added], [added.id])
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def url(new_url: str) -> str:
    return new_url


@contextmanager
def process(script: str, url: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script in another process until the block ends."""
    command = [sys.executable, "-W", "error", "-c", script, url, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def test_what_a_killed_server_acknowledged_is_there(url: str, open_store: OpenStore, run: Run) -> None:
    with process(RESPOND, url, "resp") as killed:
        assert killed.stdout is not None
        acknowledged = [killed.stdout.readline().strip() for _ in range(200)]
        killed.kill()  # SIGKILL during writes
        rest, errors = killed.communicate()
        acknowledged += rest.splitlines()
    assert errors == ""
    store = open_store(clock=lambda: 2000.0)

    async def check() -> None:
        for response in acknowledged:
            found = await store.responses.get(ME, response)
            assert found is not None, response
            assert found.status == "completed"
            assert found.output == bodies(f"out_{response}")
        await store.servers.recover(silent_for=30)
        after: str | None = None
        while (page := await store.responses.list(ME, PageQuery(limit=100, after=after))).responses:
            assert all(found.status in ("completed", "failed") for found in page.responses)
            after = page.responses[-1].id

    run(check())


def test_D8_several_processes_write_to_one_database(url: str, open_store: OpenStore, run: Run) -> None:
    names = ["first", "second", "third"]
    store = open_store()
    run(converse(store, "conv_1"))
    with process(ADD, url, "first") as a, process(ADD, url, "second") as b, process(ADD, url, "third") as c:
        for started in (a, b, c):
            _, errors = started.communicate(timeout=50)
            assert (errors, started.returncode) == ("", 0)
    order = run(seen_in(store, "conv_1"))
    assert len(order) == 300
    for name in names:  # The items of each process are in its own order.
        assert [found for found in order if found.startswith(name)] == [f"{name}_{n:03}" for n in range(100)]


def test_processes_may_make_the_database_together(url: str, open_store: OpenStore, run: Run) -> None:
    with process(RESPOND, url, "a") as a, process(RESPOND, url, "b") as b, process(RESPOND, url, "c") as c:
        first = []
        for started in (a, b, c):
            assert started.stdout is not None
            first.append(started.stdout.readline().strip())
    store = open_store()
    for response in first:
        assert run(store.responses.get(ME, response)) is not None

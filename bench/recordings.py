"""W6: speed of loading, finding and replaying recordings.

    python -m bench.recordings [--calls 10000] [--chunks 50] [--format both|own|llama-stack] [--seconds 5]

Creates a folder of recordings: conversations of four calls with tools and streamed responses. With `both`,
half of them are files in llama-stack's format with one call each, and half are our own, with 20 calls of one
scope per file. Prints the times to load them and to find one (an identical request, an equivalent one, one
with other scores in a search result, a miss, a miss with its explanation). Then a server replays: the time to
its first answers, its memory, and its streams per second. `python -m bench` does the same for 10,000 calls.
"""

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import msgspec
import uvloop
from msgspec import Raw

from antiphon.engine.request_context import RequestContext
from antiphon.errors import RecordingNotFound
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.files import llama_stack_writer, scope_file
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.wire.json import JSON, JSONObject
from bench.client import Load
from bench.servers import antiphon, free_port
from bench.table import Table
from bench.workloads import CLIENTS, measured


@dataclass(frozen=True)
class Options:
    """The recordings to create, and the duration of the replay."""

    calls: int = 10_000
    """The number of recorded calls."""
    chunks: int = 50
    """The chunks of each response."""
    format: str = "both"
    """The format: `both`, `own` or `llama-stack`."""
    seconds: float = 5
    """The duration of the replay."""


NAME = "W6 {} recordings of {} chunks"
TURNS = 4
"""Calls per conversation."""
SCOPE = 20
"""Calls per scope."""
LOOKUPS = 1000
EXPLANATIONS = 20
TOOLS: list[JSONObject] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Looks up the {name} of a place, as far as it is known.",
            "parameters": {
                "type": "object",
                "properties": {"place": {"type": "string"}, "unit": {"type": "string", "enum": ["a", "b"]}},
                "required": ["place"],
            },
        },
    }
    for name in ("weather", "population", "elevation")
]


def request(conversation: int, turn: int) -> JSONObject:
    """Return the body of a conversation's call, with the messages before it."""
    messages: list[JSON] = [
        {"role": "system", "content": "You answer questions about places, with the tools that you have."},
        {
            "role": "user",
            "content": f"How many people live in place number {conversation}, and how high is it?",
        },
    ]
    for number in range(turn):
        call = {"name": "population", "arguments": f'{{"place": "{conversation}", "unit": "{number}"}}'}
        messages += [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": f"call_{conversation}_{number}", "type": "function", "function": call}],
            },
            {
                "role": "tool",
                "tool_call_id": f"call_{conversation}_{number}",
                "content": f"[1] score: 0.{conversation}{number} Some {number} thousand people live there. "
                * 4,
            },
        ]
    return {
        "model": "gpt-4o",
        "messages": messages,
        "tools": TOOLS,
        "parallel_tool_calls": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def parts(conversation: int, turn: int, chunks: int) -> tuple[Raw, ...]:
    """Return the chunks of a response."""
    base: JSONObject = {
        "id": f"chatcmpl-{conversation}-{turn}",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_cbf1785567",
    }

    def part(delta: JSONObject, finish: str | None = None) -> Raw:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Raw(msgspec.json.encode({**base, "choices": [choice]}))

    words = [part({"content": f" word{number % 7}"}) for number in range(chunks - 2)]
    return (part({"role": "assistant", "content": ""}), *words, part({}, "stop"))


def calls(number: int, chunks: int) -> Iterator[RecordedCall]:
    """Yield the recorded calls."""
    for position in range(number):
        conversation, turn = divmod(position, TURNS)
        yield RecordedCall(
            kind="chat",
            request=request(conversation, turn),
            scope=f"tests/test_places.py::test_place[{position // SCOPE}]",
            streamed=True,
            parts=parts(conversation, turn, chunks),
        )


def write(directory: Path, own: list[RecordedCall], theirs: list[RecordedCall]) -> None:
    """Write recordings in both formats."""
    for first in range(0, len(own), SCOPE):
        scope = own[first].scope
        scope_file.write(directory / scope_file.file_name(scope), scope, own[first : first + SCOPE])
    for call in theirs:
        llama_stack_writer.write(directory / "llama-stack", call)


def timed(times: int, run: Callable[[int], None]) -> float:
    """Run a function several times, and return the median duration in microseconds."""
    taken = []
    for number in range(times):
        began = time.perf_counter()
        run(number)
        taken.append((time.perf_counter() - began) * 1e6)
    return statistics.median(taken)


def loaded(directory: Path, recorded: list[RecordedCall]) -> dict[str, float]:
    """Return the time to load a folder."""
    began, before = time.perf_counter(), time.process_time()
    collection = Collection(directory)
    values = {"load s": time.perf_counter() - began, "load CPU s": time.process_time() - before}
    if sum(1 for _ in collection.calls) != len(recorded):
        raise SystemExit(f"{collection.problems[:3]}")
    return values


def look_up(directory: Path, recorded: list[RecordedCall]) -> dict[str, float]:
    """Return the times to look up recordings that exist or don't exist."""
    replay, loop = RecordingLookup(Collection(directory, repeat=True)), uvloop.new_event_loop()
    gc.freeze()  # The server does the same.
    step = max(1, len(recorded) // LOOKUPS)
    asked = [recorded[number * step % len(recorded)] for number in range(LOOKUPS)]

    def reworded(body: JSONObject) -> JSONObject:
        plain = {name: body[name] for name in reversed(body) if not name.startswith("stream")}
        return {**plain, "parallel_tool_calls": None, "user": "someone"}

    def other_scores(body: JSONObject) -> JSONObject:
        changed: JSONObject = msgspec.json.decode(
            msgspec.json.encode(body).replace(b"score: 0.", b"score: 0.9")
        )
        return changed

    def hit(change: Callable[[JSONObject], JSONObject], bodies: list[RecordedCall]) -> Callable[[int], None]:
        changed = [(change(call.request), RequestContext(scope=call.scope)) for call in bodies]

        def run(number: int) -> None:
            loop.run_until_complete(replay.get(*changed[number % len(changed)]))

        return run

    def missed(number: int) -> None:
        request = {**asked[number].request, "seed": number}
        loop.run_until_complete(replay.find(request, RequestContext(scope="elsewhere")))

    def explained(number: int) -> None:
        try:
            request = {**asked[number * 7].request, "seed": number}
            loop.run_until_complete(replay.get(request, RequestContext(scope="elsewhere")))
        except RecordingNotFound:
            return
        raise SystemExit("a request with a new seed must be a miss")

    scored = [call for call in asked if "score" in str(call.request)]
    return {
        "exact hit µs": timed(LOOKUPS, hit(dict, asked)),
        "canonical hit µs": timed(LOOKUPS, hit(reworded, asked)),
        "volatile hit µs": timed(LOOKUPS, hit(other_scores, scored)),
        "miss µs": timed(LOOKUPS, missed),
        "explained miss µs": timed(EXPLANATIONS, explained),
    }


def replayed(directory: Path, recorded: list[RecordedCall], seconds: float) -> dict[str, float]:
    """Start a server on the recordings, and return its first answers and its replayed streams per second."""
    bodies = [msgspec.json.encode(call.request) for call in recorded]
    # There is no backend, so a request without a recording fails.
    flags = ("--replay", str(directory), "--repeat", "--recording-header")
    with antiphon(free_port(), str(directory), *flags) as server:
        values = {"start of the server s": server.ready}
        values["first answer s"] = answered(server.port, bodies[-1], recorded[-1].scope)
        values["RSS then MB"] = server.memory() / 1e6
        values["first answer from another scope s"] = answered(server.port, bodies[0], "elsewhere")
        values["RSS with all MB"] = server.memory() / 1e6
        load = Load(server.port, bodies, CLIENTS, seconds, path=b"/v1/chat/completions", expected=b"[DONE]")
        figures = measured(load, server)
        return {**values, "chat streams/s": figures.rate}


def answered(port: int, body: bytes, scope: str) -> float:
    """Return the seconds until a request in a scope is answered."""
    began, connection = time.perf_counter(), HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        headers = {"Content-Type": "application/json", "X-Antiphon-Scope": scope}
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        if b"[DONE]" not in answer.read():
            raise SystemExit(f"{answer.status} instead of a recorded stream")
    finally:
        connection.close()
    return time.perf_counter() - began


def recordings(table: Table, options: Options) -> None:
    """Create the recordings and measure."""
    recorded = list(calls(options.calls, options.chunks))
    half = {"both": len(recorded) // 2, "own": len(recorded), "llama-stack": 0}[options.format]
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        write(directory, recorded[:half], recorded[half:])
        files = list(directory.rglob("*.json"))
        values = {"files": len(files), "MB": sum(file.stat().st_size for file in files) / 1e6}
        values |= loaded(directory, recorded)
        values |= look_up(directory, recorded)
        values |= replayed(directory, recorded, options.seconds)
        table.add(NAME.format(options.calls, options.chunks), "antiphon", values)


def main() -> None:
    """Measure with the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=Options.calls)
    parser.add_argument("--chunks", type=int, default=Options.chunks)
    parser.add_argument("--format", choices=["both", "own", "llama-stack"], default=Options.format)
    parser.add_argument("--seconds", type=float, default=Options.seconds)
    recordings(Table(), Options(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()

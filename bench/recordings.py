"""W6: how fast recordings load, are found and are replayed.

    python -m bench.recordings [--calls 10000] [--chunks 50] [--format both|own|llama-stack] [--seconds 5]

Makes a folder of recordings: conversations of four calls with tools, each answer a stream. With `both`, half
of them are files of llama-stack's format, one call each, and half are our own, one file for 20 calls of one
scope.
Prints the time to load them, the time to find one (the very request; other words for it; what differs in a
search result's score; a miss; a miss with its explanation), and how many streams a second the server replays.
`python -m bench` does the same for 10,000 calls.
"""

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Raw

from antiphon.engine.request_context import RequestContext
from antiphon.errors import RecordingNotFound
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.files import llama_stack_writer, scope_file
from antiphon.recording.seam.replay import Replay
from antiphon.wire.json import JSON, JSONObject
from bench.client import Load
from bench.servers import antiphon, free_port
from bench.table import Table
from bench.workloads import CLIENTS, measured


@dataclass(frozen=True)
class Options:
    """What is made, and how long it is replayed."""

    calls: int = 10_000
    chunks: int = 50
    format: str = "both"
    seconds: float = 5


NAME = "W6 {} recordings of {} chunks"
TURNS = 4
"""Calls of one conversation."""
SCOPE = 20
"""Calls of one scope."""
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
    """Returns the body of a conversation's call: all that was said before, and the results of its tools."""
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
    """Returns the chunks of an answer."""
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
    """Yields the recorded calls."""
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
    """Writes recordings in both formats."""
    for first in range(0, len(own), SCOPE):
        scope = own[first].scope
        scope_file.write(directory / scope_file.file_name(scope), scope, own[first : first + SCOPE])
    for call in theirs:
        llama_stack_writer.write(directory / "llama-stack", call)


def timed(times: int, run: Callable[[int], None]) -> float:
    """Runs something several times and returns the microseconds of the median run."""
    taken = []
    for number in range(times):
        began = time.perf_counter()
        run(number)
        taken.append((time.perf_counter() - began) * 1e6)
    return statistics.median(taken)


def loaded(directory: Path, recorded: list[RecordedCall]) -> dict[str, float]:
    """Times the loading of a folder."""
    began, before = time.perf_counter(), time.process_time()
    collection = Collection(directory)
    values = {"load s": time.perf_counter() - began, "load CPU s": time.process_time() - before}
    if len(collection.chats.entries) != len(recorded):
        raise SystemExit(f"{collection.problems[:3]}")
    return values


def look_up(directory: Path, recorded: list[RecordedCall]) -> dict[str, float]:
    """Times the ways in which a recording is found, or is not."""
    replay = Replay(Collection(directory, repeat=True))
    gc.freeze()  # As the server does.
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
            replay.get(*changed[number % len(changed)])

        return run

    def missed(number: int) -> None:
        replay.find({**asked[number].request, "seed": number}, RequestContext(scope="elsewhere"))

    def explained(number: int) -> None:
        try:
            replay.get({**asked[number * 7].request, "seed": number}, RequestContext(scope="elsewhere"))
        except RecordingNotFound:
            return
        raise SystemExit("a seed that was never sent is a miss")

    scored = [call for call in asked if "score" in str(call.request)]
    return {
        "exact hit µs": timed(LOOKUPS, hit(dict, asked)),
        "canonical hit µs": timed(LOOKUPS, hit(reworded, asked)),
        "volatile hit µs": timed(LOOKUPS, hit(other_scores, scored)),
        "miss µs": timed(LOOKUPS, missed),
        "explained miss µs": timed(EXPLANATIONS, explained),
    }


def replayed(directory: Path, recorded: list[RecordedCall], seconds: float) -> dict[str, float]:
    """Starts the server with the recordings and returns how many streams a second it replays."""
    bodies = [msgspec.json.encode(call.request) for call in recorded]
    # There is no backend: what is not recorded is an error.
    with antiphon(free_port(), str(directory), "--replay", str(directory), "--repeat") as server:
        load = Load(server.port, bodies, CLIENTS, seconds, path=b"/v1/chat/completions", expected=b"[DONE]")
        figures = measured(load, server)
        return {"start of the server s": server.ready, "chat streams/s": figures.rate}


def recordings(table: Table, options: Options) -> None:
    """Makes the recordings, and measures."""
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
    """Measures what the command line says."""
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

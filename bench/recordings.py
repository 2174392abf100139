"""How fast recordings load, are found and are replayed.

    python bench/recordings.py [--calls 10000] [--chunks 50] [--format both|own|llama-stack] [--seconds 5]

Makes a folder of recordings: conversations of four calls with tools, each answer a stream. With `both`, half
of them are files of llama-stack's format, one call each, and half are our own, one file for 20 calls of one
scope.
Prints the time to load them, the time to find one (the very request; other words for it; what differs in a
search result's score; a miss; a miss with its explanation), and how many streams a second the server replays.
"""

import argparse
import asyncio
import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import uvloop
from msgspec import Raw

from antiphon.engine.ports import Call
from antiphon.errors import RecordingNotFound
from antiphon.recording import llama_stack_writer, scope_file
from antiphon.recording.calls import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.replay import Replay
from antiphon.wire.json import JSON, JSONObject

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


def timed(what: str, times: int, run: Callable[[int], None]) -> None:
    """Runs something several times and prints what one run takes, in microseconds."""
    taken = []
    for number in range(times):
        began = time.perf_counter()
        run(number)
        taken.append((time.perf_counter() - began) * 1e6)
    first, rest = taken[0], sorted(taken[1:])
    p99 = rest[int(len(rest) * 0.99)]
    print(f"{what:24} median {statistics.median(rest):8.0f} us   p99 {p99:8.0f} us   first {first:8.0f} us")


def look_up(directory: Path, recorded: list[RecordedCall]) -> None:
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
        changed = [(change(call.request), Call(call.scope)) for call in bodies]

        def run(number: int) -> None:
            replay.get(*changed[number % len(changed)])

        return run

    def missed(number: int) -> None:
        replay.find({**asked[number].request, "seed": number}, Call("elsewhere"))

    def explained(number: int) -> None:
        try:
            replay.get({**asked[number * 7].request, "seed": number}, Call("elsewhere"))
        except RecordingNotFound:
            return
        raise SystemExit("a seed that was never sent is a miss")

    timed("exact hit", LOOKUPS, hit(dict, asked))
    timed("canonical hit", LOOKUPS, hit(reworded, asked))
    timed(
        "volatile hit", LOOKUPS, hit(other_scores, [call for call in asked if "score" in str(call.request)])
    )
    timed("miss", LOOKUPS, missed)
    timed("miss, explained", EXPLANATIONS, explained)


async def client(port: int, bodies: list[bytes], until: float) -> int:
    """Sends one chat request after another over one connection; returns how many streams came back whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    count = 0
    while time.monotonic() < until:
        writer.write(bodies[count % len(bodies)])
        answer = await reader.readuntil(b"\r\n0\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200") or b"data: [DONE]" not in answer:
            raise SystemExit(answer[:2000].decode())
        count += 1
    writer.close()
    return count


async def load(port: int, bodies: list[list[bytes]], seconds: float) -> int:
    """Returns how many streams all clients together got."""
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(client(port, own, until) for own in bodies)))


def replayed(directory: Path, recorded: list[RecordedCall], seconds: float, clients: int) -> None:
    """Starts the server and prints how many streams a second it replays, as chats and as responses."""
    flags = ["--port", "0", "--print-url", "--database", ":memory:", "--log-level", "warning"]
    command = [sys.executable, "-m", "antiphon", "serve", "--replay", str(directory), "--repeat", *flags]
    began = time.monotonic()
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().split(":")[2].split("/")[0])
            print(f"{'start of the server':24} {time.monotonic() - began:.2f} s")
            bodies = [
                [http("/v1/chat/completions", call.request) for call in recorded[number::clients]]
                for number in range(clients)
            ]
            count = uvloop.run(load(port, bodies, seconds))
            print(f"{'replayed chat streams':24} {count / seconds:.0f}/s with {clients} clients")
        finally:
            server.terminate()


def http(path: str, body: JSONObject) -> bytes:
    """Returns a whole HTTP request."""
    text = msgspec.json.encode(body)
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(text)}\r\n\r\n".encode() + text


def main() -> None:
    """Makes the recordings, and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--chunks", type=int, default=50)
    parser.add_argument("--format", choices=["both", "own", "llama-stack"], default="both")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    recorded = list(calls(options.calls, options.chunks))
    half = {"both": len(recorded) // 2, "own": len(recorded), "llama-stack": 0}[options.format]
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        write(directory, recorded[:half], recorded[half:])
        files = list(directory.rglob("*.json"))
        size = sum(file.stat().st_size for file in files) / 1e6
        print(f"{len(recorded)} calls of {options.chunks} chunks in {len(files)} files, {size:.0f} MB")
        began, before = time.perf_counter(), time.process_time()
        collection = Collection(directory)
        seconds, cpu = time.perf_counter() - began, time.process_time() - before
        print(f"{'load':24} {seconds:.2f} s, of which {cpu:.2f} s CPU")
        if len(collection.chats.entries) != len(recorded):
            raise SystemExit(f"{collection.problems[:3]}")
        look_up(directory, recorded)
        replayed(directory, recorded, options.seconds, options.clients)


if __name__ == "__main__":
    main()

"""Cost of a turn of `antiphon.agent` over plain requests with the same client.

    python -m bench.agent [--turns 200] [--tokens 200]

A transport returns ready-made streams without a socket, so that the figures are the CPU time of the client
alone. Plain requests read the same streams with openai-python, call the function, and send its output. Prints
the medians in milliseconds, and the time to import the package in new processes.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx2
from openai import AsyncOpenAI, OpenAI

from antiphon.agent import Agent, AsyncAgent
from antiphon.wire.json import JSON, JSONObject

_WARM_UP = 20
_IMPORTS = 15
_CALL: JSONObject = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "get_weather",
    "arguments": '{"city": "Oslo"}',
    "status": "completed",
}


def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It is cold in {city}."


def stream(*events: JSONObject) -> bytes:
    """Return an event stream of one response."""
    response = {"id": "resp_1", "object": "response", "output": [], "status": "in_progress"}
    output = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    last = {**response, "status": "completed", "output": output}
    everything: list[JSONObject] = [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        *events,
        {"type": "response.completed", "response": last},
    ]
    frames = [
        f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"
        for number, event in enumerate(everything)
    ]
    return "".join([*frames, "data: [DONE]\n\n"]).encode()


def text(tokens: int) -> bytes:
    """Return the stream of a text."""
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    content = [{"type": "output_text", "text": "word " * tokens, "annotations": []}]
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
    deltas = [{"type": "response.output_text.delta", "delta": "word ", **place} for _ in range(tokens)]
    return stream(*deltas, {"type": "response.output_item.done", "output_index": 0, "item": item})


def call() -> bytes:
    """Return the stream of a function call."""
    place = {"output_index": 0}
    return stream(
        {"type": "response.output_item.added", "item": {**_CALL, "arguments": ""}, **place},
        {
            "type": "response.function_call_arguments.delta",
            "item_id": "fc_1",
            "delta": _CALL["arguments"],
            **place,
        },
        {"type": "response.output_item.done", "item": _CALL, **place},
    )


class Streams(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Transport that returns streams in turn."""

    def __init__(self, *streams: bytes) -> None:
        self._streams = streams
        self._next = 0

    def _answer(self) -> httpx2.Response:
        body = self._streams[self._next % len(self._streams)]
        self._next += 1
        return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, content=body)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the next stream."""
        return self._answer()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the next stream."""
        return self._answer()


def plain(client: OpenAI, tools: list[JSONObject]) -> None:
    """Read a turn without an agent."""
    request: JSONObject = {"model": "m", "input": [{"role": "user", "content": "Hi"}], "tools": tools}
    while request["input"]:
        outputs: list[JSONObject] = []
        events: JSON = client.responses.create(**request, stream=True)
        for event in events:
            if event.type == "response.completed":
                for item in event.response.output:
                    if item.type == "function_call":
                        output = get_weather(**json.loads(item.arguments))
                        outputs.append(
                            {"type": "function_call_output", "call_id": item.call_id, "output": output}
                        )
        request = {**request, "input": outputs, "previous_response_id": "resp_1"}


def milliseconds(run: Callable[[], object], turns: int) -> float:
    """Return the median CPU time of a turn."""
    times = []
    for number in range(turns + _WARM_UP):
        begun = time.process_time()
        run()
        if number >= _WARM_UP:
            times.append((time.process_time() - begun) * 1000)
    return statistics.median(times)


async def async_milliseconds(run: Callable[[], Awaitable[object]], turns: int) -> float:
    """Return the median CPU time of a turn in a running event loop."""
    times = []
    for number in range(turns + _WARM_UP):
        begun = time.process_time()
        await run()
        if number >= _WARM_UP:
            times.append((time.process_time() - begun) * 1000)
    return statistics.median(times)


def measured(turns: int, *streams: bytes) -> tuple[float, float, float]:
    """Return the milliseconds of a turn: plain, with an agent, and with an asynchronous agent."""
    with OpenAI(
        base_url="http://server/v1", api_key="none", http_client=httpx2.Client(transport=Streams(*streams))
    ) as client:
        agent = Agent(client, model="m", tools=[get_weather])
        tools: list[JSONObject] = agent.body["tools"]
        baseline = milliseconds(lambda: plain(client, tools), turns)
        ours = milliseconds(lambda: agent.run("Hi"), turns)

    async def run() -> float:
        transport = Streams(*streams)
        async with AsyncOpenAI(
            base_url="http://server/v1", api_key="none", http_client=httpx2.AsyncClient(transport=transport)
        ) as opened:
            agent = AsyncAgent(opened, model="m", tools=[get_weather])
            return await async_milliseconds(lambda: agent.run("Hi"), turns)

    return baseline, ours, asyncio.run(run())


def import_times(statement: str) -> Iterator[float]:
    """Yield the milliseconds of CPU time of an import in new processes."""
    program = f"import time; a = time.process_time(); {statement}; print((time.process_time() - a) * 1000)"
    for _ in range(_IMPORTS):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        yield float(done.stdout)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=200)
    options = parser.parse_args()
    answer = text(options.tokens)
    print(f"{'CPU time of a turn in ms':44}{'plain':>8}{'Agent':>8}{'AsyncAgent':>12}")
    for name, streams in (
        (f"text of {options.tokens} tokens", (answer,)),
        (f"function call, text of {options.tokens} tokens", (call(), answer)),
    ):
        baseline, ours, asynchronous = measured(options.turns, *streams)
        print(f"{name:44}{baseline:8.2f}{ours:8.2f}{asynchronous:12.2f}")
    for statement in ("import antiphon.agent", "import openai", "import openai, antiphon.agent"):
        times = list(import_times(statement))
        print(f"{statement:44}{statistics.median(times):8.0f} (at least {min(times):.0f})")


if __name__ == "__main__":
    main()

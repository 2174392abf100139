"""Clients of OpenAI's SDK whose server is a script: streams of events, without a socket."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx2
from openai import AsyncOpenAI, OpenAI

from antiphon.wire.json import JSON, JSONObject


@dataclass
class Script:
    """Server that gives scripted answers in order: the events of a stream, or an error."""

    answers: list["Sequence[JSONObject] | Refusal | Cut"] = field(default_factory=list)
    openai_form: bool = True
    """Whether streams have `event:` lines and end with `[DONE]`, which other servers omit."""
    requests: list[tuple[str, str, JSON]] = field(default_factory=list)
    """Method, path with query, and body of each request."""
    closed: int = 0
    """Number of streams whose connection ended, read to the end or not."""

    @property
    def bodies(self) -> list[JSONObject]:
        """Bodies of the requests that create responses."""
        return [body for method, path, body in self.requests if (method, path) == ("POST", "/v1/responses")]

    def client(self) -> OpenAI:
        """Return a client that blocks."""
        transport = httpx2.MockTransport(self._answer)
        return OpenAI(
            base_url="http://server/v1",
            api_key="none",
            max_retries=0,
            http_client=httpx2.Client(transport=transport),
        )

    def async_client(self) -> AsyncOpenAI:
        """Return an asynchronous client."""
        transport = httpx2.MockTransport(self._answer)
        return AsyncOpenAI(
            base_url="http://server/v1",
            api_key="none",
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=transport),
        )

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content) if request.content else None
        self.requests.append((request.method, request.url.raw_path.decode(), body))
        if request.url.path == "/v1/conversations":
            return httpx2.Response(200, json={"id": f"conv_{len(self.requests)}", "object": "conversation"})
        if request.url.path.endswith("/cancel"):
            return httpx2.Response(200, json={"id": "resp_1", "object": "response", "status": "cancelled"})
        answer = self.answers.pop(0)
        if isinstance(answer, Refusal):
            return httpx2.Response(answer.status, json={"error": answer.error})
        return httpx2.Response(
            200, headers={"Content-Type": "text/event-stream"}, stream=_Stream(self, answer)
        )


@dataclass(frozen=True)
class Refusal:
    """Response with an HTTP error."""

    status: int
    error: JSONObject


@dataclass(frozen=True)
class Cut:
    """Stream whose connection breaks, with an exception or with a proper end."""

    events: Sequence[JSONObject]
    breaks: bool = True


class _Stream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Body of an event stream, for both kinds of clients."""

    def __init__(self, script: Script, answer: "Sequence[JSONObject] | Cut") -> None:
        self._script = script
        self._answer = answer

    def _pieces(self) -> Iterable[bytes]:
        events = self._answer.events if isinstance(self._answer, Cut) else self._answer
        for event in events:
            name = f"event: {event['type']}\n" if self._script.openai_form else ""
            yield f"{name}data: {json.dumps(event)}\n\n".encode()
        if isinstance(self._answer, Cut):
            if self._answer.breaks:
                raise httpx2.ReadError("the connection broke")
        elif self._script.openai_form:
            yield b"data: [DONE]\n\n"

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces():
            yield piece

    def close(self) -> None:
        self._script.closed += 1

    async def aclose(self) -> None:
        self._script.closed += 1


def numbered(*events: JSONObject, start: int = 0) -> list[JSONObject]:
    """Return events with sequence numbers."""
    return [{**event, "sequence_number": start + number} for number, event in enumerate(events)]


def created(number: int = 1) -> JSONObject:
    """Return the first event of response `resp_NUMBER`."""
    response = {"id": f"resp_{number}", "object": "response", "status": "in_progress", "output": []}
    return {"type": "response.created", "response": response}


def ended(*output: JSONObject, number: int = 1, status: str = "completed", **rest: JSON) -> JSONObject:
    """Return the last event of response `resp_NUMBER`."""
    response = {
        "id": f"resp_{number}",
        "object": "response",
        "status": status,
        "output": list(output),
        **rest,
    }
    return {"type": f"response.{status}", "response": response}


def message(*texts: str) -> JSONObject:
    """Return a message."""
    content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def delta(text: str) -> JSONObject:
    """Return the event of a piece of text."""
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    return {"type": "response.output_text.delta", "delta": text, **place}


def says(text: str, number: int = 1) -> list[JSONObject]:
    """Return the stream of a response with a text."""
    return numbered(created(number), delta(text), ended(message(text), number=number))


def called(call_id: str, name: str, arguments: JSON) -> JSONObject:
    """Return a function call; `arguments` are encoded unless they are text."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": call_id,
        "name": name,
        "arguments": text,
        "status": "completed",
    }


def calls(*items: JSONObject, number: int = 1) -> list[JSONObject]:
    """Return the stream of a response with function calls or approval requests."""
    events = [created(number)]
    for index, item in enumerate(items):
        place = {"output_index": index}
        events.append({"type": "response.output_item.added", "item": {**item, "arguments": ""}, **place})
        if item["type"] == "function_call":
            piece = {"item_id": item["id"], "delta": item["arguments"], **place}
            events.append({"type": "response.function_call_arguments.delta", **piece})
        events.append({"type": "response.output_item.done", "item": item, **place})
    return numbered(*events, ended(*items, number=number))

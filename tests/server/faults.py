"""Behavior of backends during a response: faults, which end it, and oddities, which it survives.

The names are those of the catalogue of faults. F45, an endless tool loop, needs hosted tools and isn't here.
"""

import json
from dataclasses import replace
from typing import NamedTuple

from antiphon.wire.json import JSON, JSONObject
from tests.support.upstream import Answer, End, chunk, completion, html, reply, silence, sse, streaming

USAGE: JSONObject = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
STREAM = {"Content-Type": "text/event-stream"}
STOP = chunk(finish="stop")


class Fault(NamedTuple):
    """A fault of the backend, and the client's view of it."""

    answer: Answer | None
    """The answer of the backend; None if no request reaches it."""
    says: str
    """Part of the message, which always begins with the backend's name."""
    status: int = 502
    kind: str = "server_error"
    code: str | None = "upstream_error"
    response_code: str = "server_error"
    """The `error.code` of the response, which has fewer codes than the envelope."""
    param: str | None = None
    retry_after: str | None = None
    model: str = "up/m"
    output: tuple[str, ...] = ()
    """The texts and arguments of the items that are kept of the incomplete reply."""
    whole: Answer | None = None
    """The backend's answer to a non-streaming request, of which nothing is kept; None: the same answer."""
    whole_says: str = ""
    """Part of the message of `whole`, if it differs."""

    @property
    def in_one_piece(self) -> "Fault":
        """The fault for a client that requests no stream."""
        if self.whole is None:
            return self
        return self._replace(answer=self.whole, says=self.whole_says or self.says, output=())


def said(message: str, **more: JSON) -> JSONObject:
    return {
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": None} | more
    }


def refused(status: int, seen: int, kind: str, response_code: str, **more: JSON) -> Fault:
    """Return a fault in which the backend sends an HTTP error with its own message."""
    answer = reply(said("the backend's words"), status=status)
    return Fault(answer, "the backend's words", seen, kind, response_code=response_code, **more)


def limited(wait: str) -> Fault:
    return Fault(
        reply(said("slow down"), status=429, Retry_After=wait),
        "up: slow down",
        429,
        "rate_limit_error",
        "rate_limit_exceeded",
        "rate_limit_exceeded",
        retry_after=wait,
    )


def call(
    *arguments: str, index: int | None = 0, call_id: str | None = "call_1", name: str = "f"
) -> list[JSON]:
    """Return the chunks of one tool call: its head, then its arguments in pieces."""
    place: JSONObject = {} if index is None else {"index": index}
    head = place | {"type": "function", "function": {"name": name, "arguments": ""}}
    if call_id is not None:
        head["id"] = call_id
    pieces = [place | {"function": {"arguments": piece}} for piece in arguments]
    return [chunk(tool_calls=[delta]) for delta in (head, *pieces)]


def raw(*pieces: bytes, end: End = "keep") -> Answer:
    return Answer(pieces, headers=STREAM, end=end)


def body(*pieces: bytes, end: End = "keep", length: bool = True) -> Answer:
    """Return a JSON answer of these bytes; a complete one may be invalid JSON."""
    return Answer(pieces, headers={"Content-Type": "application/json"}, end=end, length=length)


def data(payload: JSONObject) -> bytes:
    return b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\n\n"


def choices(*deltas: tuple[int, str]) -> JSONObject:
    """Return a chunk with several choices."""
    given = [{"index": i, "delta": {"content": text}, "finish_reason": None} for i, text in deltas]
    return chunk() | {"choices": given}


BAD = "invalid_request_error"
HALF = b'{"choices": [{"message": {"content": "Hel'
SNOWED = json.dumps(completion("Schnee ❄"), ensure_ascii=False).encode()
SCHNEE = data(chunk("Schnee ❄"))

FAULTS: dict[str, Fault] = {
    "F1_connect_refused": Fault(None, "cannot connect to 127.0.0.1:", model="dead/m"),
    "F2_dns_failure": Fault(None, "models.invalid:80: Name or service not known", model="nowhere/m"),
    "F3_tls_bad_certificate": Fault(None, "its certificate is not trusted", model="untrusted/m"),
    "F4_connect_timeout": Fault(None, "no connection to 127.0.0.1:", 504, model="deaf/m"),
    "F5_first_byte_timeout": Fault(silence(), "no answer within 0.05 s", 504, model="hasty/m"),
    "F6_idle_gap": Fault(
        sse(chunk("Hel"), done=False, end="hang"),
        "silent for 0.05 s",
        504,
        model="hasty/m",
        output=("Hel",),
        whole=body(HALF, end="hang"),
    ),
    "F7_400": refused(400, 400, BAD, "invalid_prompt"),
    "F8_401": refused(401, 502, "server_error", "server_error"),
    "F9_403": refused(403, 502, "server_error", "server_error"),
    "F10_404_model": Fault(
        reply(said("model 'm' not found"), status=404),
        "up: model 'm' not found",
        404,
        BAD,
        "model_not_found",
        "server_error",
        "model",
    ),
    "F11_408": refused(408, 408, BAD, "server_error"),
    "F12_413": refused(413, 413, BAD, "invalid_prompt"),
    "F13_422": Fault(
        reply({"detail": [{"loc": ["body", "n"], "msg": "too big"}]}, status=422),
        "up: body.n: too big",
        400,
        BAD,
        response_code="invalid_prompt",
    ),
    "F14_429_seconds": limited("7"),
    "F15_429_date": limited("Fri, 31 Dec 2027 23:59:59 GMT"),
    "F16_500": refused(500, 502, "server_error", "server_error"),
    "F17_502_html": Fault(html("<h1>Bad Gateway</h1>", 502), "HTTP 502 Bad Gateway"),
    "F18_503_twice": Fault(
        reply(said("loading"), status=503, Retry_After="0"), "up: loading", 503, retry_after="0"
    ),
    "F19_504": refused(504, 504, "server_error", "server_error"),
    "F20_200_html": Fault(html("<p>Sign in</p>"), "answered with text/html; charset=utf-8: Sign in"),
    "F21_200_json_error": Fault(reply(said("out of memory")), "out of memory"),
    "F21_200_json_broken": Fault(
        Answer([b'{"choi'], headers={"Content-Type": "application/json"}, length=True), "not a chat"
    ),
    "F23_empty_body": Fault(
        raw(), "ended without a finish_reason", whole=body(), whole_says="not a chat completion: it is empty"
    ),
    "F24_done_only": Fault(
        sse(), "ended without a finish_reason", whole=reply({"choices": []}), whole_says="has no choices: {"
    ),
    "F24_only_null": Fault(
        sse(b"null"),
        "sent a broken chunk (Expected `object`, got `null`)",
        whole=body(b"null"),
        whole_says="not a chat completion: null",
    ),
    "F25_usage_only": Fault(
        sse(chunk(usage=USAGE)),
        "ended without a finish_reason",
        whole=reply({"usage": USAGE}),
        whole_says="has no choices: {",
    ),
    "F26_cut_before_first_chunk": Fault(
        raw(end="cut"), "the connection was cut", whole=body(end="cut", length=False)
    ),
    "F26_cut_before_the_head": Fault(
        Answer(bare=True, end="close"), "the connection was cut before it answered"
    ),
    "F27_cut_mid_text": Fault(
        sse(chunk("Hel"), chunk("lo"), done=False, end="cut"),
        "was cut in the middle",
        output=("Hello",),
        whole=body(HALF, end="cut"),
    ),
    "F28_cut_mid_arguments": Fault(
        sse(chunk("Well, "), *call('{"city": "Be'), done=False, end="cut"),
        "was cut in the middle",
        output=("Well, ", '{"city": "Be'),
        whole=body(HALF, end="cut", length=False),
    ),
    "F29_cut_inside_a_character": Fault(
        raw(data(chunk("Sch")), SCHNEE[: SCHNEE.index("❄".encode()) + 1], end="cut"),
        "was cut in the middle",
        output=("Sch",),
        whole=body(SNOWED[: SNOWED.index("❄".encode()) + 1], end="cut"),
    ),
    "F30_broken_chunk": Fault(
        raw(data(chunk("Hel")), b'data: {"choices": [{]}\n\n', end="hang"),
        "up/m: sent a broken chunk (JSON is malformed",
        output=("Hel",),
        whole=body(HALF),
        whole_says="up: its answer is not a chat completion: {",
    ),
    "F30_other_bytes": Fault(
        raw(data(chunk("Hel")), b'data: {"choices": "\xff\xfe"}\n\n', end="hang"),
        "up/m: sent a broken chunk (",
        output=("Hel",),
        whole=body(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    ),
    "F30_another_shape": Fault(
        sse(chunk("Hel"), {"choices": [{"delta": {"content": 5}}]}, done=False, end="hang"),
        "up/m: sent a broken chunk (Expected `str | array | null`",
        output=("Hel",),
        whole=reply({"choices": [{"message": {"content": 5}, "finish_reason": "stop"}]}),
    ),
    "F31_error_chunk": Fault(
        raw(data(chunk("Hel")), data(said("KV cache is full", code=500)), end="hang"),
        "KV cache is full",
        output=("Hel",),
        whole=reply(said("KV cache is full", code=500)),
    ),
    "F31_rate_limit_chunk": Fault(
        raw(data(chunk("Hel")), data(said("too fast", code=429)), end="hang"),
        "too fast",
        429,
        "rate_limit_error",
        "rate_limit_exceeded",
        "rate_limit_exceeded",
        output=("Hel",),
        whole=reply(said("too fast", code=429)),
    ),
    "F32_no_finish_reason": Fault(
        sse(chunk("Hel"), chunk("lo")), "up/m: the reply ended without a finish_reason", output=("Hello",)
    ),
    "F32_broken_off": Fault(
        sse(chunk("Hel"), chunk("lo", finish="error")),
        "up/m: the reply ended with the finish_reason error",
        output=("Hello",),
    ),
    "F35_tool_calls_without_calls": Fault(
        sse(chunk("I will"), chunk(finish="tool_calls")), "there are no tool calls", output=("I will",)
    ),
    "F38_call_without_a_name": Fault(
        sse(*call("{}", name=""), chunk(finish="tool_calls")),
        "without the name of a function",
        output=("{}",),
    ),
}


class Whole(NamedTuple):
    """An unusual reply that is complete."""

    answers: tuple[Answer, ...]
    output: tuple[str, ...]
    """The texts and arguments of the items."""
    reason: str | None = None
    """The reason for which the response is incomplete; None if it is complete."""
    names: tuple[str, ...] = ()
    """The names of the called functions."""


CALLED: JSONObject = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": "{}"},
}
TEXT = sse(chunk("Hel"), chunk("lo"), STOP)
BIG = "x" * 10_000_000

WHOLE: dict[str, Whole] = {
    "F18_503_then_ok": Whole((reply(said("loading"), status=503, Retry_After="0"), TEXT), ("Hello",)),
    "F21_200_json_for_stream": Whole((reply(completion("Hello")),), ("Hello",)),
    "F33_length": Whole((sse(chunk("Hel"), chunk(finish="length")),), ("Hel",), "max_output_tokens"),
    "F33_length_in_a_call": Whole(
        (sse(*call('{"a'), chunk(finish="length")),), ('{"a',), "max_output_tokens", ("f",)
    ),
    "F34_content_filter": Whole(
        (sse(chunk("Hel"), chunk(finish="content_filter")),), ("Hel",), "content_filter"
    ),
    "F36_name_in_pieces": Whole(
        (
            sse(
                chunk(tool_calls=[{"index": 0, "id": "call_1", "function": {"name": "get_"}}]),
                chunk(tool_calls=[{"index": 0, "function": {"name": "weather"}}]),
                chunk(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
                chunk(finish="tool_calls"),
                whole=completion(None, finish="tool_calls", tool_calls=[CALLED]),
            ),
        ),
        ("{}",),
        names=("get_weather",),
    ),
    "F37_interleaved_calls": Whole(
        (
            sse(
                *call(index=0, call_id="call_1", name="f"),
                *call(index=1, call_id="call_2", name="g"),
                chunk(tool_calls=[{"index": 1, "function": {"arguments": '{"b"'}}]),
                chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
                chunk(tool_calls=[{"index": 1, "function": {"arguments": ":2}"}}]),
                chunk(tool_calls=[{"index": 0, "function": {"arguments": ":1}"}}]),
                chunk(finish="tool_calls"),
            ),
        ),
        ('{"a":1}', '{"b":2}'),
        names=("f", "g"),
    ),
    "F38_index_gap": Whole(
        (
            sse(
                *call("{}", index=0, call_id="call_1"),
                *call("{}", index=7, call_id="call_2", name="g"),
                chunk(finish="tool_calls"),
            ),
        ),
        ("{}", "{}"),
        names=("f", "g"),
    ),
    "F38_no_index_no_id": Whole(
        (sse(*call("{}", index=None, call_id=None), chunk(finish="tool_calls")),), ("{}",), names=("f",)
    ),
    "F39_arguments_not_json": Whole(
        (sse(*call("city=Berlin"), chunk(finish="tool_calls")),), ("city=Berlin",), names=("f",)
    ),
    "F40_unknown_tool": Whole(
        (sse(*call("{}", name="not_offered"), chunk(finish="tool_calls")),), ("{}",), names=("not_offered",)
    ),
    "F41_reasoning_and_think": Whole(
        (sse(chunk(reasoning_content="Hm. "), chunk("<think>So.</think>"), chunk("Hello"), STOP),),
        ("Hm. So.", "Hello"),
    ),
    "F42_two_choices": Whole(
        (sse(choices((0, "Hel"), (1, "Good")), choices((1, "bye"), (0, "lo")), STOP),), ("Hello",)
    ),
    "F43_crlf_comments_lines": Whole(
        (
            raw(
                b": processing\r\n\r\n",
                b"event: chunk\r\nid: 1\r\n" + data(chunk("Hel")).replace(b"\n\n", b"\r\n\r\n"),
                b'data: {"choices": [{"index": 0,\ndata: "delta": {"content": "lo"},\n'
                b'data: "finish_reason": "stop"}]}\n\n',
                b"data: [DONE]\r\n\r\n",
            ),
        ),
        ("Hello",),
    ),
    "F22_stream_for_json": Whole((streaming(TEXT),), ("Hello",)),
    "F43_blank_lines_first": Whole(
        (replace(TEXT, whole=b"\n\n\n" + json.dumps(completion("Hello"), indent=2).encode() + b"\n"),),
        ("Hello",),
    ),
    "F44_10_mb_chunk": Whole((sse(chunk(BIG), STOP),), (BIG,)),
}

import json
import zlib
from dataclasses import replace

import pytest

from antiphon.backends import chat_model as client_module
from antiphon.backends.chat_model import HttpChatModel
from antiphon.backends.http import sse as sse_module
from antiphon.errors import (
    ContextLengthExceeded,
    UpstreamBroken,
    UpstreamRefused,
)
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON
from tests.backends.calls import (
    JSON_TYPE,
    REQUEST,
    STREAMING,
    against,
    backend,
    complete_from,
    envelope,
    in_every_way,
    stream_from,
)
from tests.support.upstream import Answer, Upstream, chunk, completion, html, reply, sse, streaming


def test_F20_200_html() -> None:
    with Upstream() as upstream:
        upstream.script(html("<html>Please\n <b>log in</b></html>"))
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert error.message == "house: answered with text/html; charset=utf-8: Please log in"


@pytest.mark.parametrize("request_", [STREAMING, REQUEST], ids=["stream", "JSON"])
@pytest.mark.parametrize("headers", [JSON_TYPE, {"Content-Type": "application/json"}])
def test_F21_200_json(request_: ChatRequest, headers: dict[str, str]) -> None:
    (payload,) = stream_from(
        Answer([json.dumps(completion(), indent=2).encode()], 200, headers), request=request_
    )
    assert json.loads(payload) == completion()
    assert b"\n" not in payload


@pytest.mark.parametrize("pieces", [[b"oops"], [b'{"choi'], [b"[" * 100_000], []])
def test_F21_a_json_answer_that_is_none(pieces: list[bytes]) -> None:
    with Upstream() as upstream:
        upstream.script(Answer(pieces, 200, JSON_TYPE))
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            said = "".join(piece[:300].decode() for piece in pieces) or "it is empty"
            assert error.message == f"house: its answer is not a chat completion: {said}"


def test_white_space_that_keeps_the_connection_is_no_part_of_the_answer() -> None:
    """DeepSeek sends empty lines while a request waits in its queue."""
    answer = Answer([b"\n", b"\n\n", json.dumps(completion()).encode()], 200, JSON_TYPE)
    (payload,) = stream_from(answer, request=REQUEST)
    assert json.loads(payload) == completion()
    assert b"\n" not in payload
    assert json.loads(complete_from(answer)) == completion()


@pytest.mark.parametrize("length", [True, False], ids=["Content-Length", "chunked"])
def test_an_answer_may_come_in_many_reads(length: bool) -> None:
    body = json.dumps(completion("x" * 100_000)).encode()
    pieces = [body[start : start + 10_000] for start in range(0, len(body), 10_000)]
    assert stream_from(Answer(pieces, 200, JSON_TYPE, length=length), request=REQUEST) == [body]


def test_a_non_streaming_answer_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_EVENT_BYTES", 1_000_000)
    large = reply(completion("x" * 2_000_000))
    with pytest.raises(UpstreamBroken, match=r"^house: an answer of more than 1000000 bytes$"):
        stream_from(large, request=REQUEST)
    with pytest.raises(UpstreamBroken, match=r"^house: an answer of more than 1000000 bytes$"):
        complete_from(large)


def test_F22_sse_for_a_non_streaming_request() -> None:
    chunks = [chunk("Hel"), chunk("lo"), chunk(finish="stop")]
    assert [
        json.loads(payload) for payload in stream_from(streaming(sse(*chunks)), request=REQUEST)
    ] == chunks


@pytest.mark.parametrize("headers", [None, {}], ids=["typed", "untyped"])
def test_F22_sse_for_a_reply(headers: dict[str, str] | None) -> None:
    answer = streaming(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop")))
    (choice,) = json.loads(complete_from(answer if headers is None else replace(answer, headers=headers)))[
        "choices"
    ]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello", "stop")


def test_F22_a_cut_stream_is_no_reply() -> None:
    with pytest.raises(UpstreamBroken, match="the reply ended without a finish_reason"):
        complete_from(streaming(sse(chunk("a"))))


def test_F23_empty_body() -> None:
    assert stream_from(Answer()) == []
    with pytest.raises(UpstreamBroken, match="not a chat completion: it is empty"):
        complete_from(Answer(headers=JSON_TYPE))


def test_F24_done_only() -> None:
    assert stream_from(sse()) == []


def test_F25_usage_only() -> None:
    usage = chunk(usage={"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1})
    assert [json.loads(payload) for payload in stream_from(sse(usage))] == [usage]


def test_F26_cut_before_the_answer() -> None:
    with Upstream() as upstream:
        upstream.script(Answer(bare=True, end="cut"))
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert error.message == "house: the connection was cut before it answered"
        assert len(upstream.chats) == 3


def test_F26_cut_before_the_first_chunk() -> None:
    with pytest.raises(UpstreamBroken, match="the connection was cut before it answered"):
        stream_from(Answer(end="cut"))


@pytest.mark.parametrize(
    "pieces",
    [
        [b'data: {"choices":[]}\n\n'],
        [b'data: {"choices":[]}\n\n', b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"fu'],
        [b'data: {"choices":[]}\n\n', 'data: {"é'.encode()[:-1]],
    ],
    ids=["F27", "F28", "F29"],
)
def test_F27_F28_F29_cut_in_the_middle(pieces: list[bytes]) -> None:
    async def read(model: HttpChatModel) -> list[bytes]:
        chunks = model.stream(STREAMING)
        seen = await anext(chunks)
        with pytest.raises(UpstreamBroken, match="the connection was cut in the middle of its answer"):
            await anext(chunks)
        return seen

    with Upstream() as upstream:
        upstream.script(Answer(pieces, end="cut"))
        assert against(upstream, read) == [b'{"choices":[]}']


def test_F27_a_cut_reply() -> None:
    with pytest.raises(UpstreamBroken, match="cut in the middle"):
        complete_from(reply(end="cut"))
    with pytest.raises(UpstreamBroken, match="cut in the middle"):
        stream_from(reply(end="cut"), request=REQUEST)


def test_F29_a_character_in_two_reads() -> None:
    word = 'data: {"a":"é"}\n\n'.encode()
    assert stream_from(Answer([word[:12], word[12:]])) == ['{"a":"é"}'.encode()]


def test_F30_a_broken_chunk_is_proxied() -> None:
    assert stream_from(sse(b'{"choices":[{')) == [b'{"choices":[{']


def test_F31_an_error_in_a_stream_is_proxied() -> None:
    assert [json.loads(payload) for payload in stream_from(sse(envelope("Out of memory")))] == [
        envelope("Out of memory")
    ]


def test_F31_an_error_in_a_reply() -> None:
    with pytest.raises(UpstreamBroken, match=r"^house: Out of memory$"):
        complete_from(reply(envelope("Out of memory")))
    with pytest.raises(ContextLengthExceeded):
        complete_from(reply(envelope("prompt is too long: 5 tokens > 4 maximum")))
    with pytest.raises(UpstreamBroken, match=r"^house: Out of memory$"):
        complete_from(reply({"object": "error", "message": "Out of memory", "code": 500}))


@pytest.mark.parametrize("body", [envelope("Out of memory"), {"object": "error", "message": "Out of memory"}])
def test_F31_an_error_in_a_non_streaming_response_is_proxied(body: JSON) -> None:
    (payload,) = stream_from(reply(body), request=REQUEST)
    assert json.loads(payload) == body


@pytest.mark.parametrize(
    "body", [["no"], {}, {"choices": []}, {"choices": None}, {"id": "x"}, "text", 5, {"choices": {}}]
)
def test_a_reply_without_choices(body: JSON) -> None:
    with Upstream() as upstream:
        upstream.script(reply(body))
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            said = ("has no choices: ", "is not a chat completion: ")
            assert error.message.startswith(tuple(f"house: its answer {each}" for each in said))


def test_F32_the_end_without_done() -> None:
    with_rest = Answer([b"data: 1\n\n", b"data: 2"])
    assert stream_from(with_rest) == [b"1", b"2"]


def test_F43_crlf_comments_and_many_lines() -> None:
    pieces = [b": hi\r\n\r\nevent: x\r\ndata: {\r\nda", b"ta: }\r", b"\n\r\n", b"data:[DONE]\r\n\r\n"]
    assert stream_from(Answer(pieces)) == [b"{ }"]


def test_F44_10_mb_in_one_chunk() -> None:
    large = chunk("x" * 10_000_000)
    assert [json.loads(payload) for payload in stream_from(sse(large))] == [large]


def test_F44_without_bound_it_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse_module, "MAX_EVENT_BYTES", 1000)
    with pytest.raises(UpstreamBroken, match="house: an event of more than 1000 bytes"):
        stream_from(Answer([b"data: " + b"x" * 2000]))


def test_a_missing_content_type_is_taken_for_what_was_asked_for() -> None:
    assert stream_from(Answer([b"data: 1\n\n"], headers={})) == [b"1"]
    body = json.dumps(completion()).encode()
    assert stream_from(Answer([body], headers={}), request=REQUEST) == [body]
    assert complete_from(Answer([body], headers={})) == body


def test_what_is_not_http() -> None:
    with Upstream() as upstream:
        upstream.script(Answer([b"SSH-2.0-OpenSSH_9.9\r\n\r\n"], bare=True, end="close"))
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert "its answer is not HTTP" in error.message


UNTYPED: dict[str, str] = {}
"""Headers of a response without a content type."""


@pytest.mark.parametrize("request_", [STREAMING, REQUEST], ids=["stream", "JSON"])
@pytest.mark.parametrize("before", [b"", b"\n\n", b"\xef\xbb\xbf"], ids=["", "blank lines", "BOM"])
@pytest.mark.parametrize("headers", [UNTYPED, JSON_TYPE], ids=["untyped", "typed"])
def test_json_is_read_without_a_content_type_and_after_a_bom(
    request_: ChatRequest, before: bytes, headers: dict[str, str]
) -> None:
    body = json.dumps(completion()).encode()
    answer = Answer([piece for piece in (before, body) if piece], 200, headers)
    (payload,) = stream_from(answer, request=request_)
    assert json.loads(payload) == completion()


@pytest.mark.parametrize("before", [b"", b"\n\n", b"\xef\xbb\xbf", b": waiting\n\n"])
def test_a_stream_is_read_without_a_content_type(before: bytes) -> None:
    pieces = [piece for piece in (before, b"data: 1\n\n", b"data: [DONE]\n\n") if piece]
    assert stream_from(Answer(pieces, 200, UNTYPED)) == [b"1"]


def test_an_empty_response_without_a_content_type_is_named() -> None:
    with pytest.raises(UpstreamBroken, match="its answer is not a chat completion: it is empty"):
        stream_from(Answer([], 200, UNTYPED), request=REQUEST)
    assert stream_from(Answer([], 200, UNTYPED)) == []


def squeezed(answer: Answer) -> Answer:
    """Return the answer compressed, in as many pieces."""
    deflating = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    pieces = [deflating.compress(piece) + deflating.flush(zlib.Z_SYNC_FLUSH) for piece in answer.pieces]
    pieces[-1] += deflating.flush()
    return replace(answer, pieces=pieces, headers={**answer.headers, "Content-Encoding": "gzip"}, whole=None)


def test_compressed_answers_are_read_though_not_asked_for() -> None:
    chunks = [chunk("Hé"), chunk("llo"), chunk(finish="stop")]
    payloads = stream_from(squeezed(sse(*chunks)))
    assert [json.loads(payload) for payload in payloads] == chunks
    assert json.loads(complete_from(squeezed(reply()))) == completion()
    with pytest.raises(UpstreamRefused, match=r"^house: No such model\.$"):
        complete_from(squeezed(reply(envelope("No such model."), status=404)))


def test_an_encoding_that_is_not_supported_is_named() -> None:
    answer = reply(Content_Encoding="zstd")
    with Upstream() as upstream:
        upstream.script(answer)
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert error.message == "house: its content encoding 'zstd' isn't supported"


@pytest.mark.parametrize("status", [0, 1, 99])
def test_a_status_below_100_is_no_interim_response(status: int) -> None:
    head = f"HTTP/1.1 {status:03} Odd\r\nContent-Length: 0\r\n\r\n".encode()
    with Upstream() as upstream:
        upstream.script(Answer([head], bare=True))
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert error.message == f"house: its answer is not HTTP: its status is {status:03}"


@pytest.mark.parametrize("status", [600, 999])
def test_a_status_that_http_does_not_have_is_a_502(status: int) -> None:
    with Upstream() as upstream:
        upstream.script(reply(envelope("Odd."), status=status))
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamRefused)
            assert (error.status, error.upstream_status) == (502, status)
            assert error.message == "house: Odd."

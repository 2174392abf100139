import asyncio
import threading

import pytest
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from antiphon.decode.bodies import BodyDecoder
from antiphon.decode.bounds import LONG
from antiphon.errors import AntiphonError, InvalidRequest, RequestTooLarge
from antiphon.server.edge import state
from antiphon.server.edge.requests import (
    boolean,
    context_of,
    decoded_body,
    include_of,
    owner_of,
    page_query,
    path_id,
    query_text,
    read_body,
)
from antiphon.server.edge.state import headers_of
from antiphon.wire.lists import PageQuery
from tests.server.asgi import messages, request, scope


def read(given: Request) -> bytes:
    return asyncio.run(read_body(given))


def refused(error: AntiphonError) -> tuple[str | None, str | None]:
    return error.param, error.code


def query(text: str) -> Request:
    return request(scope(query=text))


@pytest.mark.parametrize(
    "kind", [None, "application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"]
)
def test_a_body_is_read_whole(kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    assert read(request(scope("POST", headers=headers), b"[1,", b"2", b"]")) == b"[1,2]"


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "", "application/jsonp"])
def test_other_media_are_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(request(scope("POST", headers={"content-type": kind}), b"{}"))
    assert refused(caught.value) == (None, "unsupported_content_type")


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br", "x" * 1000])
def test_encodings_are_refused_before_anything_is_read(encoding: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(request(scope("POST", headers={"content-encoding": encoding}), b"x" * 1000))
    assert refused(caught.value) == (None, "unsupported_content_encoding")
    assert len(caught.value.message) < 300


class _Place(Struct):
    """A body that notes the thread in which it is decoded."""

    text: str

    def __post_init__(self) -> None:
        self.text = threading.current_thread().name


@pytest.mark.parametrize(("size", "is_here"), [(10, True), (LONG + 1, False)])
def test_a_thread_decodes_a_long_body(size: int, is_here: bool) -> None:
    given = request(scope("POST"), b'{"text": "%s"}' % (b"x" * size), limit=2 * LONG)
    decoded = asyncio.run(decoded_body(given, BodyDecoder(_Place)))
    assert (decoded.text == threading.current_thread().name) == is_here


def test_the_limit_counts_all_pieces() -> None:
    assert read(request(scope("POST"), b"x" * 60, b"x" * 40, limit=100)) == b"x" * 100
    with pytest.raises(RequestTooLarge, match="larger than 100 bytes"):
        read(request(scope("POST"), b"x" * 60, b"x" * 41, limit=100))


def test_incomplete_bodies_of_all_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_MAX_INCOMPLETE", 150)

    async def scenario() -> tuple[list[bytes], int]:
        ends = asyncio.Event()
        app = request(scope("POST"), limit=100).scope["app"]

        def reading(piece: bytes) -> asyncio.Task[bytes]:
            sent = messages([piece])

            async def receive() -> Message:
                message = next(sent)
                if not message["more_body"]:
                    await ends.wait()
                return message

            return asyncio.create_task(read_body(Request({**scope("POST"), "app": app}, receive)))

        first, second = reading(b"x" * 80), reading(b"y" * 80)
        with pytest.raises(state.Overloaded):
            await second
        third = reading(b"z" * 70)  # A refused body no longer counts.
        await asyncio.sleep(0)
        ends.set()
        whole = [await each for each in (first, third, reading(b"x" * 100))]
        return whole, app.state.incomplete.size

    assert asyncio.run(scenario()) == ([b"x" * 80, b"z" * 70, b"x" * 100], 0)


def test_what_is_announced_as_too_large_is_not_waited_for() -> None:
    announced = scope("POST", headers={"content-length": "101"})
    with pytest.raises(RequestTooLarge, match="larger than 100 bytes"):
        read(request(announced, b"x", limit=100))
    assert read(request(scope("POST", headers={"content-length": "1"}), b"x", limit=100)) == b"x"


def test_a_client_that_goes_is_no_short_body() -> None:
    given = request(scope("POST"))
    read(given)
    with pytest.raises(ClientDisconnect):
        read(Request(given.scope, given.receive))


def test_of_headers_with_one_name_the_first_counts() -> None:
    given = request(scope(raw_headers=[(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3")]))
    assert headers_of(given.scope) == {b"x-a": b"1", b"x-b": b"2"}


@pytest.mark.parametrize("test_id", ["tést".encode(), "tést".encode("latin-1")])
def test_the_test_that_llama_stacks_client_names_is_the_scope(test_id: bytes) -> None:
    header = (b"x-ogx-provider-data", b'{"__test_id": "' + test_id + b'"}')
    given = request(scope(raw_headers=[header]))
    assert context_of(given).scope == "tést"


def test_path_ids() -> None:
    assert path_id(request(scope(), path={"response_id": "resp_1"}), "response_id") == "resp_1"
    assert path_id(request(scope(), path={"response_id": "x" * 256}), "response_id") == "x" * 256
    for value, code in (("x" * 257, "string_above_max_length"), ("a\0b", "invalid_value")):
        with pytest.raises(InvalidRequest) as caught:
            path_id(request(scope(), path={"response_id": value}), "response_id")
        assert refused(caught.value) == ("response_id", code)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", PageQuery(limit=20, order="desc", after=None)),
        ("limit=1&order=asc&after=msg_1", PageQuery(limit=1, order="asc", after="msg_1")),
        ("limit=100&order=desc", PageQuery(limit=100, order="desc", after=None)),
        ("include=message.input_image.image_url", PageQuery(limit=20, order="desc", after=None)),
    ],
)
def test_page_queries(text: str, expected: PageQuery) -> None:
    assert page_query(query(text)) == expected


@pytest.mark.parametrize(
    ("text", "param", "code"),
    [
        ("limit=0", "limit", "integer_below_min_value"),
        ("limit=101", "limit", "integer_above_max_value"),
        ("limit=", "limit", "invalid_type"),
        ("limit=1.5", "limit", "invalid_type"),
        ("limit=" + "9" * 10_000, "limit", "integer_above_max_value"),
        ("order=ASC", "order", "invalid_value"),
        ("after=%00", "after", "invalid_value"),
        ("after=" + "x" * 257, "after", "string_above_max_length"),
        ("include=zzz", "include", "invalid_value"),
    ],
)
def test_bad_page_queries(text: str, param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        page_query(query(text))
    assert refused(caught.value) == (param, code)


def test_query_text() -> None:
    assert query_text(query("model=a%2Fb"), "model") == "a/b"
    assert query_text(query(""), "model") is None


def test_include_in_both_forms() -> None:
    known = "reasoning.encrypted_content"
    include = include_of(query(f"include={known}&include[]={known}&include=web_search_call.results"))
    assert include == {known, "web_search_call.results"}
    for text in (f"include={known}&include=zzz", "include[]=zzz"):
        with pytest.raises(InvalidRequest, match=f"Invalid value: 'zzz'.*'{known}'"):
            include_of(query(text))


@pytest.mark.parametrize(
    ("text", "expected"), [("", False), ("a=true", True), ("a=True", True), ("a=1", True), ("a=false", False)]
)
def test_booleans(text: str, expected: bool) -> None:
    assert boolean(query(text), "a") is expected


@pytest.mark.parametrize("text", ["a=", "a=yes", "a=2"])
def test_bad_booleans(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        boolean(query(text), "a")
    assert refused(caught.value) == ("a", "invalid_type")


def test_everybody_without_a_key_is_one_owner() -> None:
    assert owner_of(request(scope())) == owner_of(request(scope(headers={"authorization": "Bearer x"})))

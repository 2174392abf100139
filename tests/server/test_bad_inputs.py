"""Bad inputs: the error names the place and the reason, before anything is stored or sent.

The names are those of the catalogue of bad inputs. These cases differ from it:
B7  an empty input is refused only where nothing is continued: after a tool's output it means "go on".
B14 api.openai.com takes function names of up to 128 characters in responses, so 129 are one too many.
B24 unknown fields do no harm, because real clients send them (`test_parameters.py` has more of them).
"""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from antiphon.server.http import exchange
from antiphon.store.responses.rows import FinishedResponse, NewResponse
from antiphon.testing import serve
from antiphon.wire.json import JSON, JSONObject
from tests.server.bad_bodies import BAD, USER, ask
from tests.server.client import SECONDS, call, get, post
from tests.server.faults import TEXT
from tests.server.http.test_disconnect import hanging, sent
from tests.server.refusals import Bad, check, rows
from tests.server.sockets import Socket
from tests.support.serving import Serving
from tests.support.upstream import Upstream, chunk


@pytest.fixture
def nothing_done(database: Path, upstream: Upstream) -> Iterator[None]:
    """Fail a test that changes the database or sends a request to the backend."""
    before = rows(database)
    yield
    assert rows(database) == before
    assert upstream.requests == []


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.usefixtures("conversation", "nothing_done")
def test_refused(url: str, conversation: str, bad: Bad, stream: bool) -> None:
    body = bad.body
    if isinstance(body, dict):
        given: JSONObject = {"stream": stream}
        body = given | body
        if body.get("conversation") == "CONVERSATION":
            body["conversation"] = conversation
    check(post(url, "/responses", body), bad)


def test_B24_an_unknown_field_is_let_through(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    answer = post(url, "/responses", ask(zzz=1, store=False))
    assert (answer.status, answer.json["status"]) == (200, "completed")
    assert "zzz" not in upstream.chats[0].json


def test_B31_deleted_previous(url: str, upstream: Upstream, database: Path) -> None:
    upstream.script(TEXT)
    previous = post(url, "/responses", ask()).json["id"]
    assert call(url, "DELETE", f"/responses/{previous}").json == {
        "id": previous,
        "object": "response",
        "deleted": True,
    }
    before = rows(database)
    answer = post(url, "/responses", ask(previous_response_id=previous))
    check(answer, Bad(None, "previous_response_id", "previous_response_not_found"))
    assert rows(database) == before


def test_B32_previous_of_another_owner(server: Serving, database: Path) -> None:
    async def store_for_another() -> None:
        new = NewResponse(
            id="resp_theirs", created_at=1.0, model="up/m", body="{}", input_new=[], input_ids=[]
        )
        await server.store.pending.begin("another", new)
        ended = FinishedResponse(id="resp_theirs", status="completed", completed_at=1, body="{}", output=[])
        await server.store.pending.finish("another", ended)

    server.call(store_for_another())
    before = rows(database)
    answer = post(server.url, "/responses", ask(previous_response_id="resp_theirs"))
    check(answer, Bad(None, "previous_response_id", "previous_response_not_found"))
    assert get(server.url, "/responses/resp_theirs").status == 404
    assert call(server.url, "DELETE", "/responses/resp_theirs").status == 404
    assert get(server.url, "/responses/resp_theirs/input_items").status == 404
    assert rows(database) == before


def test_B33_previous_in_progress(server: Serving, upstream: Upstream, database: Path) -> None:
    upstream.script(hanging(chunk("Hel")))
    with sent(server.url, "/responses", ask(stream=True)):
        assert upstream.hanging.wait(SECONDS)
        # It is committed after the write of the response, which no request waits for.
        server.call(server.store.servers.heartbeat())
        newest = get(server.url, "/responses?limit=1").json["data"][0]
        assert newest["status"] == "in_progress"
        before = rows(database, running=1)
        answer = post(server.url, "/responses", ask(previous_response_id=newest["id"]))
        check(answer, Bad(None, "previous_response_id", "previous_response_in_progress"))
        assert rows(database, running=1) == before
    assert upstream.disconnected.wait(1)


@pytest.mark.parametrize("path", ["/responses", "/conversations", "/chat/completions"])
@pytest.mark.usefixtures("nothing_done")
def test_B44_large_body(url: str, path: str) -> None:
    answer = post(url, path, ask(input="x" * 1_000_000))
    check(answer, Bad(None, None, "request_too_large", 413))


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br", "gzip, identity"])
@pytest.mark.usefixtures("nothing_done")
def test_B45_compressed_body(url: str, encoding: str) -> None:
    """A compressed body isn't even read, so it can't be a decompression bomb."""
    answer = post(url, "/responses", ask(), {"Content-Encoding": encoding})
    check(answer, Bad(None, None, "unsupported_content_encoding"))


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
@pytest.mark.usefixtures("nothing_done")
def test_B46_content_type(url: str, kind: str) -> None:
    answer = post(url, "/responses", ask(), {"Content-Type": kind})
    check(answer, Bad(None, None, "unsupported_content_type"))


@pytest.mark.parametrize("path", ["/responses", "/files", "/vector_stores", "/chat/completions"])
@pytest.mark.usefixtures("nothing_done")
def test_B47_slow_body(url: str, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """The body of the request stops arriving; `test_exchange.py` tests slow bodies."""
    monkeypatch.setattr(exchange, "PATIENCE", 0.05)
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    kind = "multipart/form-data; boundary=b" if path == "/files" else "application/json"
    head = (
        f"POST {parts.path}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        connection.sendall(head.encode() + b"-")
        answer = b""
        while piece := connection.recv(65536):  # until the server closes the connection
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == {
        "message": "The request body did not arrive in time.",
        "type": "invalid_request_error",
        "param": None,
        "code": "request_timeout",
    }


ODD_IDS = ["..%2F..%2Fetc%2Fpasswd", "a%00b", "%ff", "x" * 10_000, "'%20OR%201=1--", "%2e%2e"]


@pytest.mark.parametrize("odd", ODD_IDS)
@pytest.mark.parametrize("path", ["/responses/{}", "/responses/{}/input_items", "/conversations/{}/items/{}"])
@pytest.mark.usefixtures("conversation", "nothing_done")
def test_B48_odd_ids(url: str, path: str, odd: str) -> None:
    for method in ("GET", "DELETE"):
        answer = call(url, method, path.format(odd, odd))
        assert answer.status in (400, 404, 405)
        assert answer.error["type"] == "invalid_request_error"
    assert call(url, "GET", f"/responses?after={odd}").status in (400, 404)


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ("limit=0", "limit", "integer_below_min_value"),
        ("limit=-1", "limit", "integer_below_min_value"),
        ("limit=101", "limit", "integer_above_max_value"),
        ("limit=1000000000", "limit", "integer_above_max_value"),
        ("limit=ten", "limit", "invalid_type"),
        ("order=up", "order", "invalid_value"),
        ("include=zzz", "include", "invalid_value"),
        ("include[]=zzz", "include", "invalid_value"),
        ("after=a%00b", "after", "invalid_value"),
    ],
)
@pytest.mark.usefixtures("conversation", "nothing_done")
def test_B49_page_queries(url: str, conversation: str, query: str, param: str, code: str) -> None:
    paths = ("/responses", "/responses/resp_1/input_items", f"/conversations/{conversation}/items")
    for path in paths:
        check(get(url, f"{path}?{query}"), Bad(None, param, code))


@pytest.mark.usefixtures("conversation", "nothing_done")
def test_B50_cursor(url: str, conversation: str) -> None:
    for path in ("/responses", f"/conversations/{conversation}/items"):
        answer = get(url, f"{path}?after=msg_nope")
        check(answer, Bad(None, "after", None, 404, "No item found with id 'msg_nope'"))


def test_B52_cancel_of_a_response_in_the_foreground(url: str, upstream: Upstream, database: Path) -> None:
    upstream.script(TEXT)
    made = post(url, "/responses", ask()).json["id"]
    before = rows(database)
    refusal = Bad(None, "response_id", None, 400, "Cannot cancel a synchronous response.")
    for _ in range(2):
        check(post(url, f"/responses/{made}/cancel"), refusal)
    unknown = Bad(None, None, None, 404, "Response with id 'resp_nope' not found.")
    check(post(url, "/responses/resp_nope/cancel"), unknown)
    assert get(url, f"/responses/{made}").json["status"] == "completed"
    assert rows(database) == before


@pytest.mark.usefixtures("nothing_done")
def test_bad_bodies_are_refused_fast_even_if_large(url: str) -> None:
    body = json.dumps(ask(input=[USER] * 2_000 + [{"role": "zzz", "content": "x"}])).encode()
    check(post(url, "/responses", body), Bad(None, "input[2000].role", "invalid_value"))


@pytest.mark.usefixtures("nothing_done")
def test_what_has_too_many_entries_or_is_nested_too_deeply_is_refused(url: str) -> None:
    check(post(url, "/responses", ask(input=[USER] * 2049)), Bad(None, "input", "array_above_max_length"))
    check(
        post(url, "/chat/completions", {"model": "up/m", "messages": [USER] * 2049}),
        Bad(None, "messages", "array_above_max_length"),
    )
    schema: JSON = {}
    for _ in range(100):
        schema = {"items": schema}
    tools = [{"type": "function", "name": "f", "parameters": schema}]
    check(post(url, "/responses", ask(tools=tools)), Bad(None, None, "invalid_json"))


def test_the_number_of_entries_can_be_set() -> None:
    with serve(mode="live", backends=[], max_items=2) as server:
        body = {"model": "antiphon/sample", "input": [USER] * 3}
        check(post(server.url, "/responses", body), Bad(None, "input", "array_above_max_length"))
        with Socket(server.url) as connection:
            connection.send({"type": "response.create", **body})
            assert connection.refusal()["param"] == "input"
        assert post(server.url, "/responses", body | {"input": [USER] * 2}).status == 200


def test_every_bad_input_of_the_catalogue_is_here() -> None:
    names = [*BAD, *(name.removeprefix("test_") for name in globals())]
    numbers = {int(found[1]) for name in names if (found := re.match(r"B(\d+)_", name))}
    assert numbers == set(range(1, 53))

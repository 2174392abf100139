"""The server inside a Python process."""

import socket
import threading
from pathlib import Path

import pytest
from openai import APIStatusError, InternalServerError, OpenAI

from antiphon.errors import ConfigError, StoreUnavailable
from antiphon.recording.files.scope_file import file_name, read
from antiphon.serving.sockets import listen
from antiphon.testing import Outcome, serve
from tests.support.serving import backend
from tests.support.upstream import Upstream, chunk, completion, reply, sse


def ask(url: str, text: str = "Hi", **headers: str) -> str:
    """Send a request to the model `m` and return its text."""
    with OpenAI(base_url=url, api_key="none", default_headers=headers) as client:
        return client.responses.create(model="up/m", input=text).output_text


def ask_sample(url: str) -> str:
    """Send a request to the model that every server has."""
    with OpenAI(base_url=url, api_key="none") as client:
        return client.responses.create(model="antiphon/sample", input="Hi").output_text


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def test_what_is_recorded_is_replayed_without_the_backend(directory: Path) -> None:
    with Upstream() as upstream:
        upstream.script(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop")))
        with serve(directory, "record", scope="greeting", backends=[backend(upstream)]) as server:
            assert ask(server.url) == "Hello"
            assert [outcome.recorded for outcome in server.take()] == [1]
    with serve(directory, scope="greeting") as server:
        assert ask(server.url) == "Hello"
        name = f"{file_name('greeting')}#1"
        assert server.take() == [Outcome("greeting", 1, 0, 0, (name,), None)]
        assert server.take() == []


def test_a_block_leaves_nothing_behind(directory: Path) -> None:
    before = set(threading.enumerate())
    with serve(mode="live", backends=[]) as server, OpenAI(base_url=server.url, api_key="none") as client:
        assert set(threading.enumerate()) > before
        # The stream stays open on purpose: it has to end with the block.
        stream = client.responses.create(model="antiphon/sample", input="Hi", stream=True)
    assert set(threading.enumerate()) == before
    with pytest.raises(APIStatusError, match="nobody"), serve(mode="live", backends=[]):
        raise APIStatusError("nobody", response=stream.response, body=None)
    assert set(threading.enumerate()) == before


def test_a_path_names_the_scope_and_a_header_overrides_it(directory: Path) -> None:
    scopes = ["tests/test_a.py::test_x[a/b c%2F]", "Übung 🎵", "a.b"]
    with Upstream() as upstream, serve(directory, "record", backends=[backend(upstream)]) as server:
        upstream.script(*(sse(chunk(str(n)), chunk(finish="stop")) for n in range(4)))
        for scope in scopes:
            ask(server.url_of(scope))
        ask(server.url_of("path"), **{"X-Antiphon-Scope": "header"})
        assert [outcome.scope for outcome in server.take()] == [*scopes, "header"]
    for scope in scopes:
        assert [call.scope for call in read(directory / file_name(scope))] == [scope]


def test_each_scope_has_its_own_answer(directory: Path) -> None:
    with Upstream() as upstream, serve(directory, "record", backends=[backend(upstream)]) as server:
        upstream.script(*(sse(chunk(text), chunk(finish="stop")) for text in ("one", "two")))
        assert [ask(server.url_of(scope)) for scope in ("a", "b")] == ["one", "two"]
    with serve(directory) as server:
        assert [ask(server.url_of(scope)) for scope in ("b", "a")] == ["two", "one"]


def test_a_scope_begins_once_more_and_no_other_does(directory: Path) -> None:
    with Upstream() as upstream, serve(directory, "record", backends=[backend(upstream)]) as server:
        upstream.script(*(sse(chunk(str(n)), chunk(finish="stop")) for n in range(5)))
        for scope in ("a", "a", "b"):
            ask(server.url_of(scope))
        server.begin("a")
        assert [ask(server.url_of("a")) for _ in range(2)] == ["3", "4"]
    with serve(directory) as server:
        assert [ask(server.url_of(scope)) for scope in ("a", "a", "b")] == ["3", "4", "2"]
        server.begin("a")
        assert [ask(server.url_of("a")) for _ in range(2)] == ["3", "4"]
        with pytest.raises(InternalServerError, match="has already answered"):
            ask(server.url_of("b"))


def test_without_recordings_a_scope_begins_all_the_same() -> None:
    with serve(mode="live", backends=[]) as server:
        server.begin("a")
        assert ask_sample(server.url_of("a"))


def test_a_miss_is_counted_and_explained_once(directory: Path) -> None:
    with Upstream() as upstream, serve(directory, "record", backends=[backend(upstream)]) as server:
        upstream.script(sse(chunk("Hi"), chunk(finish="stop")))
        ask(server.url)
    with serve(directory) as server:
        # The client would retry, but the response tells it not to.
        with pytest.raises(InternalServerError, match='requested "Ho", recorded "Hi"'):
            ask(server.url, "Ho")
        (outcome,) = server.take()
    assert (outcome.hits, outcome.misses, outcome.recorded) == (0, 1, 0)
    assert outcome.error is not None
    assert outcome.error.splitlines()[1] == '  messages[0].content: requested "Ho", recorded "Hi"'


def test_what_is_missing_is_recorded_and_no_miss(directory: Path) -> None:
    with Upstream() as upstream:
        upstream.script(reply(completion("Hello")))
        with serve(directory, "record-missing", backends=[backend(upstream)]) as server:
            with OpenAI(base_url=server.url, api_key="none") as client:
                for text in ("a", "b", "a"):
                    message = {"role": "user", "content": text}
                    client.post(
                        "/chat/completions", body={"model": "m", "messages": [message]}, cast_to=object
                    )
            outcomes = server.take()
    assert [(outcome.hits, outcome.misses, outcome.recorded) for outcome in outcomes] == [(0, 0, 1)] * 3


def test_requests_that_call_no_model_have_no_outcome(directory: Path) -> None:
    with serve(mode="live", backends=[]) as server, OpenAI(base_url=server.url, api_key="none") as client:
        assert [model.id for model in client.models.list()] == ["antiphon/sample"]
        assert client.conversations.create().id
        assert server.take() == []


def test_further_settings_are_the_servers(directory: Path, tmp_path: Path) -> None:
    with serve(mode="live", backends=[], fault="429:1", database=str(tmp_path / "state.db")) as server:
        with (
            OpenAI(base_url=server.url, api_key="none", max_retries=0) as client,
            pytest.raises(APIStatusError) as caught,
        ):
            client.responses.create(model="antiphon/sample", input="Hi")
        assert caught.value.response.headers["retry-after"] == "1"
        (outcome,) = server.take()
        assert outcome.error == "fault '429:1': refused with status 429"
    assert (tmp_path / "state.db").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": 1}, "unknown setting 'speed'"),
        ({"port": 8321}, "unknown setting 'port'"),
        ({"fault": "explode"}, "unknown action 'explode'"),
        ({"replay_speed": -1}, "--replay-speed: expected a number"),
        ({"replay_tools": "real"}, "--replay-tools: expected one of recorded, live"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, str], message: str) -> None:
    before = threading.active_count()
    with pytest.raises(ConfigError, match=message), serve(mode="live", backends=[], **settings):
        pytest.fail("it serves")
    assert threading.active_count() == before


def test_startup_errors_are_raised(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recorded calls"), serve(tmp_path):
        pytest.fail("it serves")
    with pytest.raises(ConfigError, match="needs a directory; set recordings"), serve():
        pytest.fail("it serves")
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreUnavailable, match="cannot be created"),
        serve(mode="live", backends=[], database=str(tmp_path / "file" / "state.db")),
    ):
        pytest.fail("it serves")


def test_what_is_written_is_sent_at_once() -> None:
    """The event loop sets TCP_NODELAY only if it knows the protocol of the listening socket."""
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP

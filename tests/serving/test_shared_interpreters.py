"""Two server processes over one container, with the real sandbox."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.tools.code_interpreter.sandboxes.wasi import cache_folder
from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import calls, says
from tests.durable.processes import Processes
from tests.server.client import post
from tests.support.sandbox import REAL, compile_sandbox
from tests.support.upstream import Upstream

pytestmark = REAL


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Processes, Upstream]]:
    compile_sandbox()
    with Upstream() as backend, Upstream() as search:
        opened = Processes(tmp_path, f"{tmp_path}/shared.db", backend, search)
        opened.variables = {"WASI_PYTHON_CACHE": cache_folder()}
        try:
            yield opened, backend
        finally:
            opened.close()


def ask(url: str, backend: Upstream, code: str, **more: JSON) -> JSONObject:
    """Return the call of a response in which the model runs code."""
    backend.script(calls(("call_1", "code_interpreter", {"code": code})), says("Done."))
    body: JSONObject = {
        "model": "up/m",
        "input": "?",
        "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}],
        "include": ["code_interpreter_call.outputs"],
    }
    reply = post(url, "/responses", body | more)
    assert reply.status == 200, reply.body
    response: JSONObject = reply.json
    return response


def test_files_and_variables_of_one_process_are_there_at_the_other(pair: tuple[Processes, Upstream]) -> None:
    processes, backend = pair
    first, second = processes.pair()
    made = ask(first.url, backend, "x = 5\nopen('a.txt', 'w').write('hi')\nx")
    [call, _] = made["output"]
    assert call["outputs"] == [{"type": "logs", "logs": "5"}]
    tool: JSON = [{"type": "code_interpreter", "container": call["container_id"]}]
    code = "x += 1\nopen('b.txt', 'w').write('ho')\nx, open('a.txt').read()"
    [there, _] = ask(second.url, backend, code, previous_response_id=made["id"])["output"]
    assert there["container_id"] == call["container_id"]
    assert there["outputs"] == [{"type": "logs", "logs": "(6, 'hi')"}]
    [back, _] = ask(first.url, backend, "x, open('b.txt').read()", tools=tool)["output"]
    assert back["outputs"] == [{"type": "logs", "logs": "(6, 'ho')"}]


def test_files_outlive_the_process_that_has_started_the_interpreter(
    pair: tuple[Processes, Upstream],
) -> None:
    processes, backend = pair
    first, second = processes.pair()
    [call, _] = ask(first.url, backend, "x = 5\nopen('a.txt', 'w').write('hi')")["output"]
    tool: JSON = [{"type": "code_interpreter", "container": call["container_id"]}]
    processes.kill(0)
    for _ in range(50):
        # The interpreter notices the end of its server a moment later, and a call can be cut by that.
        [after, _] = ask(second.url, backend, "'x' in globals(), open('a.txt').read()", tools=tool)["output"]
        if after["status"] == "completed" and after["outputs"][-1]["logs"] != "(True, 'hi')":
            break
    assert after["outputs"] == [
        {"type": "logs", "logs": "[The interpreter is new: variables of earlier calls are lost.]\n"},
        {"type": "logs", "logs": "(False, 'hi')"},
    ]

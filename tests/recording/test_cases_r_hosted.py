"""R12, R13 and R14 with real MCP servers, a search service and files, none of which the replay has."""

from pathlib import Path

import pytest
from openai import OpenAI
from openai.types.responses import Response

from antiphon.testing import LocalServer, serve
from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import calls, says
from tests.recording.case_world import MODEL, ask, recording
from tests.recording.hosted_world import ANSWER, BOIL, KINDS, RUN, SECRET, alone, with_tools
from tests.server.routes.test_embeddings import vectors
from tests.support.serving import backend
from tests.support.upstream import Upstream, models_list, reply
from tests.tools.web_search.searching import RESULT


def mcp(url: str, **more: JSON) -> JSONObject:
    return {"type": "mcp", "server_label": "lab", "server_url": url, "require_approval": "never"} | more


def whole_run(url: str, mcp_url: str, *, stream: bool) -> Response:
    """Upload a file, and use all tools; the ids of file and vector store are new each time."""
    with OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        store = client.vector_stores.create(name="notes")
        file = ("notes.txt", SECRET.encode())
        attached = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=file)
        assert attached.status == "completed"
        request: JSONObject = {
            "model": MODEL,
            "input": "At what temperature does it boil, and what is the code word?",
            "tools": [
                mcp(mcp_url),
                {"type": "web_search"},
                {"type": "file_search", "vector_store_ids": [store.id]},
            ],
            "include": ["web_search_call.results", "file_search_call.results"],
        }
        if not stream:
            response: Response = client.responses.create(**request)
            return response
        with client.responses.stream(**request) as events:
            for _ in events:
                pass
            return events.get_final_response()


def results(response: Response) -> list[JSON]:
    """Return the results of the tools and the model's text, without ids."""
    output: JSON = response.to_dict()["output"]
    listed, called, searched, found, message = output
    return [
        [tool["name"] for tool in listed["tools"]],
        (called["output"], called["error"]),
        searched["results"],
        [(hit["text"], hit["filename"]) for hit in found["results"]],
        message["content"][0]["text"],
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_R12_search_mcp_and_file_search_replay_without_any_socket(stream: bool, tmp_path: Path) -> None:
    """This is also R14: the ids of the file differ from those that the model received in the recording."""
    directory = tmp_path / "recordings"
    with with_tools(directory, *RUN) as (server, running):
        mcp_url = f"{running.url}/basic/mcp"
        recorded = whole_run(server.url, mcp_url, stream=stream)
        assert "tools/call" in running.asked()
    assert recorded.status == "completed"
    assert [item.type for item in recorded.output] == KINDS
    assert results(recorded)[1:] == [("-100", None), [RESULT], [(SECRET, "notes.txt")], ANSWER]
    with alone(directory) as server:
        replayed = whole_run(server.url, mcp_url, stream=not stream)
    assert [item.type for item in replayed.output] == KINDS
    assert results(replayed) == results(recorded)


def approving(url: str, mcp_url: str, *, approve: bool) -> tuple[list[str], str]:
    """Request a call that needs an approval, and decide on it; return the kinds of items, and the text."""
    with OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        tool = mcp(mcp_url, require_approval="always")
        first = client.responses.create(model=MODEL, input="Boil it.", tools=[tool])  # type: ignore[list-item]
        [request] = [item for item in first.output if item.type == "mcp_approval_request"]
        second = client.responses.create(
            model=MODEL,
            input=[{"type": "mcp_approval_response", "approval_request_id": request.id, "approve": approve}],
            previous_response_id=first.id,
            tools=[tool],  # type: ignore[list-item]
        )
        return [item.type for item in (*first.output, *second.output)], second.output_text


def test_R13_approvals_of_mcp_calls_across_turns_replay(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    asks = calls(("call_1", "get_boiling_point", BOIL))

    def both(server: LocalServer, url: str) -> dict[bool, tuple[list[str], str]]:
        return {each: approving(server.url_of(str(each)), url, approve=each) for each in (True, False)}

    with with_tools(directory, asks, says("-100."), asks, says("Then not.")) as (server, running):
        mcp_url = f"{running.url}/basic/mcp"
        recorded = both(server, mcp_url)
        assert running.asked().count("tools/call") == 1
    assert recorded == {
        True: (["mcp_list_tools", "mcp_approval_request", "mcp_call", "message"], "-100."),
        False: (["mcp_list_tools", "mcp_approval_request", "message"], "Then not."),
    }
    with alone(directory) as server:
        assert both(server, mcp_url) == recorded


def test_R12_a_server_that_was_never_recorded_is_a_miss(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    with with_tools(directory, *RUN) as (server, running):
        whole_run(server.url, f"{running.url}/basic/mcp", stream=False)
    with alone(directory) as server:
        answer = ask(server.url, tools=[mcp("https://example.com/mcp", server_label="other")], stream=False)
    assert (answer.status, answer.error["code"]) == (502, "recording_not_found")
    assert "other" in answer.error["message"]


def felines(url: str) -> list[str]:
    """Search two texts by vectors that only one shares with the query; return the texts found."""
    with OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        store = client.vector_stores.create(name="notes", extra_body={"embedding_model": MODEL})
        for text in ("Cats sleep.", "Trains run."):
            file = ("notes.txt", text.encode())
            client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=file)
        tool: JSON = {"type": "file_search", "vector_store_ids": [store.id]}
        included: JSON = ["file_search_call.results"]
        response: Response = client.responses.create(
            model=MODEL, input="What do felines do?", tools=[tool], include=included
        )
        assert response.output_text == "They sleep."
        found: JSON = response.to_dict()["output"][0]["results"]  # type: ignore[index]
        return [hit["text"] for hit in found]


def test_R12_vectors_of_files_and_queries_replay(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    answers = (
        reply(vectors([1, 0])),
        reply(vectors([0, 1])),
        calls(("call_1", "file_search", {"query": "felines"})),
        reply(vectors([0.9, 0.1])),
        says("They sleep."),
    )
    with recording(directory, *answers) as (server, _):
        assert felines(server.url) == ["Cats sleep.", "Trains run."]
    with alone(directory) as server:
        assert felines(server.url) == ["Cats sleep.", "Trains run."]


def attach(url: str, text: str, embedding_model: str | None = MODEL) -> tuple[str, str]:
    """Attach a text to a new vector store with embeddings; return the status of the file and its error."""
    with OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        store = client.vector_stores.create(name="notes", extra_body={"embedding_model": embedding_model})
        file = ("notes.txt", text.encode())
        attached = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=file)
        return attached.status, "" if attached.last_error is None else attached.last_error.message


def test_R12_vectors_of_a_file_belong_to_the_scope_of_the_request(tmp_path: Path) -> None:
    directory, scopes = tmp_path / "recordings", ("mine", "other")
    with recording(directory, reply(vectors([1, 0]))) as (server, _):
        assert [attach(server.url_of(scope), "Cats sleep.")[0] for scope in scopes] == ["completed"] * 2
    held = {file.name.split("-")[0]: "Cats sleep." in file.read_text() for file in directory.glob("*.json")}
    assert held == {"mine": True, "other": True}
    with alone(directory) as server:
        assert [attach(server.url_of(scope), "Cats sleep.")[0] for scope in scopes] == ["completed"] * 2


def test_R12_a_file_whose_vectors_were_not_recorded_fails(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    with recording(directory, reply(vectors([1, 0]))) as (server, _):
        assert attach(server.url, "Cats sleep.") == ("completed", "")
    with alone(directory) as server:
        status, problem = attach(server.url, "Cats purr.")
    assert status == "failed"
    assert "No recording" in problem
    assert "Cats sleep." in problem


def test_R12_a_chosen_embedding_model_is_that_of_the_scope_in_replay(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    with Upstream(["m", "bge-m3"]) as upstream:
        upstream.script(reply(vectors([1, 0])))
        with serve(directory, "record", backends=[backend(upstream)], discover=False) as server:
            assert attach(server.url_of("vectors"), "Cats sleep.", None) == ("completed", "")
        upstream.models_answer = reply(models_list("m"))
        with serve(directory, "record", backends=[backend(upstream)], discover=False) as server:
            assert attach(server.url_of("words"), "Dogs bark.", None) == ("completed", "")
        assert [request.json["input"] for request in upstream.requests if request.method == "POST"] == [
            ["Cats sleep."]
        ]
    with alone(directory) as server:
        assert attach(server.url_of("words"), "Dogs bark.", None) == ("completed", "")
        assert attach(server.url_of("vectors"), "Dogs bark.", None)[0] == "failed"
        assert attach(server.url_of("vectors"), "Cats sleep.", None) == ("completed", "")

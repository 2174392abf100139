"""llama-stack-client of 2025 and of 2026, in the scenarios of llama-stack's tests."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.engine.ports import ModelCatalogue
from antiphon.settings.tools import ToolsSettings
from antiphon.wire.json import JSON
from tests.clients.replies import calls, says
from tests.dialects.asking import EXPERTS, PERMISSIONS, SUITE, scenario, types
from tests.dialects.test_file_search import ANSWER
from tests.dialects.test_mcp import LIST, STEPS, call_events, chats
from tests.dialects.test_messages import ORDERING, QUESTION
from tests.mcp_servers.http import TOKEN
from tests.mcp_servers.running import Servers, servers
from tests.real_clients.installed import HERE, environment, run
from tests.recording.asking import Backend, catalogue
from tests.support.serving import Serving, backend, backends, recordings
from tests.support.upstream import Upstream, reply
from tests.test_docs import DOCUMENTED_URL
from tests.test_docs_llama_stack import blocks
from tests.tools.web_search.searching import RESULT, tavily

VERSIONS = {"llama_stack_0_3": "0.3.0", "llama_stack_0_4": "0.4.7", "llama_stack_0_7": "0.7.5"}
OF_2025 = ("llama_stack_0_3", "llama_stack_0_4")
EMBEDDING_MODEL = "sentence-transformers/nomic-ai/nomic-embed-text-v1.5"
CHECK = "streaming_multi_turn_tool_execution" + PERMISSIONS

pytestmark = [pytest.mark.timeout(120), pytest.mark.parametrize("client", VERSIONS)]


def ran(client: str, home: Path, url: str, name: str, **arguments: JSON) -> JSON:
    """Return the report of a scenario."""
    python = str(environment(client) / "bin" / "python")
    command = [python, str(HERE / "llama_stack" / "scenarios.py"), name, json.dumps(arguments)]
    return json.loads(run(command, home, {"OPENAI_BASE_URL": url}))


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = scenario(
        tmp_path_factory.mktemp("llama_stack") / "recordings", "web_search[", "file_search[", ORDERING
    )
    with Serving(directory.parent / "state.db", recordings(directory)) as server:
        yield server.url


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    directory = tmp_path_factory.mktemp("mcp")
    tools = chats(scenario(directory / "recordings", CHECK))[0]["tools"]
    descriptions = {tool["function"]["name"]: tool["function"]["description"] for tool in tools}
    with servers(directory, descriptions) as started:
        yield started


def test_the_client_is_of_the_version(client: str) -> None:
    lock = (HERE / client / "requirements.txt").read_text().splitlines()
    assert f"llama_stack_client=={VERSIONS[client]}" in lock


@pytest.mark.parametrize("by_variable", [False, True])
def test_the_example_of_the_documentation(
    client: str, by_variable: bool, server: Serving, tmp_path: Path
) -> None:
    documented, url = DOCUMENTED_URL.removesuffix("/v1"), server.url.removesuffix("/v1")
    (example,) = [text for text in blocks("python") if text.startswith("# pip install llama-stack-client\n")]
    (variable,) = [text.strip() for text in blocks("text") if "BASE_URL=" in text]
    name, _, value = variable.partition("=")
    assert (value, documented in example) == (documented, True)
    example = example.replace(f'base_url="{documented}"', "" if by_variable else f'base_url="{url}"')
    python = str(environment(client) / "bin" / "python")
    assert run([python, "-c", example], tmp_path, {name: url} if by_variable else {}).strip()


@pytest.mark.shared
def test_the_set_up_of_the_tests(client: str, replaying: str, tmp_path: Path) -> None:
    report = ran(client, tmp_path, replaying, "setup", embedding_model=EMBEDDING_MODEL)
    assert report["providers"] == ["recording", "azure", "openai"]
    assert "openai/gpt-4o" in report["names"]
    assert report["retrieved"][0] == report["names"][0]
    assert report["retrieved"][3] == "llm"
    kinds = {"shields", "scoring_functions"} | ({"tools", "toolgroups"} if client in OF_2025 else set())
    assert report["lists"] == {kind: [] for kind in kinds}
    (model,) = [model for model in report["models"] if model["owned_by"] == "openai"]
    about = {"model_type": "llm", "provider_id": "openai", "provider_resource_id": "gpt-4o"}
    if client in OF_2025:
        assert {name: model[name] for name in about} == about
        name = f"recording/{EMBEDDING_MODEL}"
        assert report["registered"] == [name, "recording", "embedding", {"embedding_dimension": 768}]
    else:
        assert model["custom_metadata"] == about
        assert "identifier" not in model
        assert report["registered"] is None


@pytest.mark.shared
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["non_streaming_web_search", "streaming_web_search"])
def test_the_search_of_the_first_seed(
    client: str, replaying: str, tmp_path: Path, name: str, stream: bool
) -> None:
    report = ran(client, tmp_path, replaying, "search", scope=f"{SUITE}{name}{EXPERTS}", stream=stream)
    output = report["response"]["output"]
    assert [item["type"] for item in output] == ["web_search_call", "message"]
    assert output[0]["status"] == "completed"
    assert "128" in report["text"]
    if stream:
        assert report["types"][0] == "response.created"
        assert report["types"][-1] == "response.completed"
        arguments = "response.function_call_arguments.done" in report["types"]
        assert arguments is (client not in OF_2025)


@pytest.mark.shared
def test_the_check_of_the_second_seed(client: str, running: Servers, tmp_path: Path) -> None:
    directory = scenario(tmp_path / "recordings", CHECK)
    question = chats(directory)[0]["messages"][0]["content"]

    async def opened() -> ModelCatalogue:
        return catalogue(directory, "record-missing", Backend())

    with Serving(tmp_path / "state.db", opened, allow_hosts=["127.0.0.1"]) as server:
        url = f"{running.url}/workflow/sse"
        arguments = {"scope": f"{SUITE}{CHECK}", "question": question, "server_url": url}
        report = ran(client, tmp_path, server.url, "permissions", **arguments)
    events = report["events"]
    assert types(events)[:24] == ["created", "in_progress", *LIST, *(3 * call_events("mcp_call.arguments"))]
    assert types(events)[-1] == "completed"
    # The client has a class for each event, chosen by its type.
    prefix = "OpenAIResponseObjectStreamResponse"
    for name, event in zip(report["classes"], events, strict=True):
        words = event["type"].removeprefix("response.").replace(".", "_").split("_")
        assert name == prefix + "".join(word.capitalize() for word in words)
    made = [item for item in events[-1]["response"]["output"] if item["type"] == "mcp_call"]
    assert [call["name"] for call in made] == STEPS
    assert [call["output"] for call in made] == ["user_11111", "admin", "no"]
    assert "no" in report["text"].lower()


@pytest.mark.shared
def test_a_question_with_the_result_of_its_function(client: str, replaying: str, tmp_path: Path) -> None:
    directory = scenario(tmp_path / "recordings", ORDERING)
    tool = chats(directory)[0]["tools"][0]["function"]
    arguments = {"scope": f"{SUITE}{ORDERING}", "question": QUESTION, "tool": tool}
    report = ran(client, tmp_path, replaying, "repeated", **arguments)
    assert report["types"] == ["message"]
    assert "rain" in report["text"]


@pytest.mark.shared
def test_a_file_search(client: str, replaying: str, tmp_path: Path) -> None:
    arguments = {"embedding_model": EMBEDDING_MODEL, "content": ANSWER}
    report = ran(client, tmp_path, replaying, "file_search", **arguments)
    assert report["status"] == "completed"
    call, _ = report["response"]["output"]
    assert [result["text"] for result in call["results"]] == [ANSWER]
    assert "128" in report["text"]


@pytest.fixture
def service() -> Iterator[Upstream]:
    with Upstream() as service:
        service.script(reply({"results": [RESULT]}))
        yield service


@pytest.fixture
def scripted(upstream: Upstream, service: Upstream, tmp_path: Path) -> Iterator[str]:
    tools = ToolsSettings(web_search=tavily(service))
    opened = backends(backend(upstream))
    with Serving(tmp_path / "state.db", opened, tools=tools, allow_hosts=["127.0.0.1"]) as server:
        yield server.url


CALL = calls(("call_1", "get_user_id", {"username": "charlie"}))


@pytest.mark.shared
@pytest.mark.parametrize("approve", [True, False])
def test_an_approval(
    client: str, running: Servers, scripted: str, upstream: Upstream, tmp_path: Path, approve: bool
) -> None:
    upstream.script(CALL, says("user_11111"))
    arguments = {"server_url": f"{running.url}/workflow/sse", "approve": approve}
    asked, answered = ran(client, tmp_path, scripted, "approval", **arguments)["kinds"]
    assert asked == ["mcp_list_tools", "mcp_approval_request"]
    assert answered == ["mcp_list_tools", *(["mcp_call"] if approve else []), "message"]


@pytest.mark.shared
def test_a_token(client: str, running: Servers, scripted: str, upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(CALL, says("user_11111"), CALL, says("user_11111"))
    arguments = {"server_url": f"{running.url}/private/workflow/sse", "secret": TOKEN}
    without, in_headers, as_parameter = ran(client, tmp_path, scripted, "token", **arguments)["outcomes"]
    called = ["mcp_list_tools", "mcp_call", "message"]
    assert without == "AuthenticationError"
    assert in_headers == (called if client in OF_2025 else "BadRequestError")
    assert as_parameter == called


def test_small_things(client: str, scripted: str, upstream: Upstream, tmp_path: Path) -> None:
    searches = calls(("call_1", "web_search", {"query": "a"}), ("call_2", "web_search", {"query": "b"}))
    upstream.script(says("Hel", "lo."), searches, says("Enough."))
    report = ran(client, tmp_path, scripted, "small_things")
    assert report["deleted"] == [True, "conversation.item.deleted", True]
    assert report["said"] == "Hello."
    skipped = ["web_search_call"] if client in OF_2025 else []
    assert report["kinds"] == ["web_search_call", *skipped, "message"]

"""Model requests of later rounds, which equal those in llama-stack's recordings."""

import ast
import json
import re
from pathlib import Path

import msgspec
import pytest

from antiphon.engine.hosted.items import error_results, for_model
from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.wire.chat import ChatTool
from antiphon.wire.items import FileSearchCall, McpCall, Message, WebSearchCall
from antiphon.wire.json import JSON, JSONObject
from tests.engine.hosting import WEB_SEARCH, FakeCall, FakeMcp, FakeSearch, Hosting, Replies, calls, mcp, says
from tests.support.shared import shared

pytestmark = pytest.mark.shared


class RecordedSearch(FakeSearch):
    """Web search that returns the recorded results."""

    def __init__(self, recorded: "Recorded") -> None:
        super().__init__()
        self._recorded = recorded

    def functions(self) -> list[ChatTool]:
        return self._recorded.functions

    def call(self, name: str, arguments: str) -> FakeCall:
        found = self._recorded.outputs.pop(0)
        fake = super().call(name, arguments)
        begun = fake.item
        assert isinstance(begun, WebSearchCall)
        done = msgspec.structs.replace(begun, status="completed")
        if isinstance(found, str) and found.startswith("{"):
            done.results = json.loads(found)["top_k"]
        else:
            done.status, done.results = "failed", [*error_results(str(found))]
        return FakeCall(begun, done, self.log, None, None)


class RecordedMcp(FakeMcp):
    """MCP server that returns the recorded answers."""

    def __init__(self, recorded: "Recorded") -> None:
        super().__init__()
        self._recorded = recorded

    def functions(self) -> list[ChatTool]:
        return self._recorded.functions

    def call(self, name: str, arguments: str) -> FakeCall:
        begun = super().call(name, arguments).item
        assert isinstance(begun, McpCall)
        found = self._recorded.outputs.pop(0)
        done = msgspec.structs.replace(begun, status="completed", arguments=arguments)
        if isinstance(found, str):
            done.status, done.error = "failed", {"type": "mcp_protocol_error", "code": 1, "message": found}
        else:
            done.output = found[0]["text"]
        return FakeCall(begun, done, self.log, None, None)


class Recorded:
    """Recorded request of a later round, with the texts, calls and results before it."""

    def __init__(self, path: Path) -> None:
        self.body: JSONObject = msgspec.json.decode(path.read_bytes())["request"]["body"]
        messages: list[JSONObject] = self.body["messages"]
        assert messages[0]["role"] == "user"
        self.text: str = messages[0]["content"]
        self.functions: list[ChatTool] = self.body["tools"]
        self.outputs: list[JSON] = [each["content"] for each in messages if each["role"] == "tool"]
        self.replies = [
            calls(*((made["function"]["name"], made["function"]["arguments"]) for made in each["tool_calls"]))
            for each in messages
            if each["role"] == "assistant"
        ]

    def last_request(self, tool: RecordedSearch | RecordedMcp) -> JSONObject:
        """Create the response again and return the last chat request."""
        declared = WEB_SEARCH if isinstance(tool, RecordedSearch) else mcp()
        hosting = Hosting(
            Replies(*self.replies, says("Done.")),
            [declared],
            tool,
            items=[Message(role="user", content=self.text)],
        ).run()
        assert hosting.response["status"] == "completed"
        last: JSONObject = {**hosting.model.requests[-1], "model": self.body["model"]}
        return last


def key(body: JSONObject) -> str:
    return canonical_key(canonical_request(body))


def rounds_of(test: str) -> list[Path]:
    """Return the recorded requests of a llama-stack test after the first round."""
    found = []
    for path in sorted(shared("recordings/llama-stack").glob("*.json")):
        text = path.read_bytes()
        if test.encode() in text[:4000]:
            body = msgspec.json.decode(text)["request"].get("body") or {}
            roles = [message["role"] for message in body.get("messages", [])]
            if "tool" in roles and roles.count("user") == 1 and roles[0] == "user":
                found.append(path)
    return found


def test_the_second_round_of_the_first_seed() -> None:
    (path,) = shared("recordings/seeds").glob("639c*.json")
    recorded = Recorded(path)
    sent = recorded.last_request(RecordedSearch(recorded))
    assert sent["messages"][2]["content"] == recorded.body["messages"][2]["content"]
    assert key(sent) == key(recorded.body)


def test_the_second_round_of_the_second_seed() -> None:
    (path,) = shared("recordings/seeds").glob("aadc*.json")
    recorded = Recorded(path)
    assert key(recorded.last_request(RecordedMcp(recorded))) == key(recorded.body)


def test_all_rounds_with_web_search() -> None:
    paths = rounds_of("web_search[")
    assert len(paths) > 20
    for path in paths:
        recorded = Recorded(path)
        assert key(recorded.last_request(RecordedSearch(recorded))) == key(recorded.body), path.name


@pytest.mark.parametrize("test", ["multi_turn_tool_execution[", "non_streaming_mcp_tool["])
def test_all_rounds_with_mcp(test: str) -> None:
    paths = rounds_of(test)
    assert len(paths) > 5
    for path in paths:
        recorded = Recorded(path)
        assert key(recorded.last_request(RecordedMcp(recorded))) == key(recorded.body), path.name


_HIT = re.compile(
    r"\[\d+\] document_id: (?P<id>[^,]+), score: (?P<score>[^,]+), attributes: (?P<attributes>\{.*?\}) "
    r"cite as <\|(?P=id)\|>\n(?P<text>.*)\n",
    re.DOTALL,
)


def test_what_a_file_search_found() -> None:
    # Older llama-stacks called the tool knowledge_search, or put brackets around "cite as".
    texts = [path.read_text() for path in rounds_of("non_streaming_file_search[")]
    texts = [text for text in texts if "(cite as" not in text and "knowledge_search tool" not in text]
    assert len(texts) > 5
    for text in texts:
        messages: list[JSONObject] = msgspec.json.decode(text)["request"]["body"]["messages"]
        asked, (head, *hits, end, task) = messages[1]["tool_calls"][0]["function"], messages[2]["content"]
        results: list[JSONObject] = []
        for hit in hits:
            parts = _HIT.fullmatch(hit["text"])
            assert parts is not None
            attributes, score = ast.literal_eval(parts["attributes"]), float(parts["score"])
            results.append(
                {"file_id": parts["id"], "score": score, "text": parts["text"], "attributes": attributes}
            )
        query = msgspec.json.decode(asked["arguments"])["query"]
        made = for_model(FileSearchCall(status="completed", queries=[query], results=results))
        assert made is not None
        assert msgspec.json.decode(made.arguments) == {"query": query}
        assert made.output == [head, *hits, end, task]

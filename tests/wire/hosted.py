"""Recorded requests with this server's hosted tools, whose calls return recorded results."""

import asyncio
from collections import deque

import msgspec

from antiphon.engine.ports import HostedTool, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import UpstreamRefused
from antiphon.settings.tools import (
    ImageGenerationSettings,
    McpServerSettings,
    McpSettings,
    ToolsSettings,
    WebSearchSettings,
)
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.registry import open_tools
from antiphon.tools.sandbox import Outcome
from antiphon.wire.containers import ContainerFile
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import AutoContainer, CodeInterpreterTool, FileSearchTool, Tool
from tests.wire.derive import replies_of
from tests.wire.engine import Run, ScriptedModel
from tests.wire.recordings import Exchange

SETTINGS = ToolsSettings(
    image_generation=ImageGenerationSettings(base_url="https://images.example/v1"),
    web_search=WebSearchSettings(open_pages=True),
    mcp=McpSettings(
        servers={"connector_googlecalendar": McpServerSettings(url="https://calendar.example/mcp")}
    ),
)


class RecordedCalls:
    """`ToolCalls` that return the results in the items of a recording, without any request."""

    def __init__(self, exchange: Exchange) -> None:
        output = exchange.output()
        self._lists = {i["server_label"]: i["tools"] for i in output if i["type"] == "mcp_list_tools"}
        self._mcp = deque(item for item in output if item["type"] == "mcp_call")
        self._actions = deque(item["action"] for item in output if item["type"] == "web_search_call")
        self._codes = deque(item for item in output if item["type"] == "code_interpreter_call")
        self._images = deque(item for item in output if item["type"] == "image_generation_call")
        self._cited = cited(exchange, "url_citation")

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Return the result of the recording's next call."""
        if provider == "code_interpreter":
            return self._code(arguments)
        if provider == "images":
            return self._image(arguments)
        if provider not in self._lists:
            return self._web(name, arguments)
        if name == "tools/list":
            return {"tools": [_listed(tool) for tool in self._lists[provider]]}
        item = self._mcp.popleft()
        assert (name, arguments) == (item["name"], msgspec.json.decode(item["arguments"]))
        if item["error"]:
            assert item["error"]["type"] == "http_error"
            raise UpstreamRefused(item["error"]["message"], upstream_status=item["error"]["code"])
        return {"content": [{"type": "text", "text": item["output"]}], "isError": False}

    def _code(self, arguments: JSONObject) -> JSON:
        item = self._codes.popleft()
        assert arguments == {"code": item["code"]}
        outputs = item["outputs"] or []
        images = [output["url"].partition(",")[2] for output in outputs if output["type"] == "image"]
        logs = [output["logs"] for output in outputs if output["type"] == "logs"]
        # The value of the last expression follows the charts.
        printed = [] if outputs and outputs[0]["type"] == "image" else logs[:1]
        return {"logs": "".join(printed), "result": "".join(logs[len(printed) :]) or None, "images": images}

    def _image(self, arguments: JSONObject) -> JSON:
        item = self._images.popleft()
        assert arguments["prompt"] == item["revised_prompt"]
        described = ("background", "output_format", "quality", "revised_prompt", "size")
        return {"b64_json": item["result"], "partial_images": []} | {name: item[name] for name in described}

    def _web(self, name: str, arguments: JSONObject) -> JSON:
        """Return the pages that a recording shows as sources, or else those that it cites."""
        action = self._actions.popleft()
        if name != "web_search":
            return {"results": [_page(action["url"], self._cited)]}
        sources = [source["url"] for source in action.get("sources", []) if source["type"] == "url"]
        pages = [_page(url, self._cited) for url in sources or self._cited]
        return {"query": arguments["query"], "top_k": pages}


class RecordedContainers:
    """Containers without interpreters, whose files are those that a recording cites."""

    def __init__(self, exchange: Exchange) -> None:
        self._cited = [*cited(exchange, "container_file_citation").values()]

    async def check(self, tool: CodeInterpreterTool, param: str) -> None:
        pass

    async def is_active(self, container_id: str) -> bool:
        return False

    async def use(self, container_id: str, auto: AutoContainer | None) -> None:
        pass

    async def run(self, container_id: str, code: str) -> Outcome:
        raise AssertionError("the recording has the results")

    async def keep(self, container_id: str, call_id: str, outcome: Outcome) -> list[ContainerFile]:
        return [
            ContainerFile(
                id=file["file_id"],
                created_at=0,
                bytes=1,
                container_id=container_id,
                path=f"/mnt/data/{file['filename']}",
                source="assistant",
            )
            for file in self._cited
        ]


class RecordedFiles:
    """Searches of vector stores that return a recording's results, or else the files that it cites."""

    def __init__(self, exchange: Exchange) -> None:
        self._output = exchange.output()
        self._cited = cited(exchange, "file_citation")

    async def __call__(self, tool: FileSearchTool, query: str) -> list[JSONObject]:
        [item] = [item for item in self._output if item["type"] == "file_search_call"]
        assert [query] == item["queries"]
        found: list[JSONObject] | None = item["results"]
        if found is not None:
            return found
        return [{"score": 1.0, "text": "...", "attributes": {}} | file for file in self._cited.values()]


def cited(exchange: Exchange, kind: str) -> dict[str, JSONObject]:
    """Return the citations of one kind by URL (without the API's own suffix) or file id."""
    notes = [
        note
        for item in exchange.output()
        if item["type"] == "message"
        for part in item["content"]
        for note in part["annotations"]
        if note["type"] == kind
    ]
    key = "url" if kind == "url_citation" else "file_id"
    kept = {"title"} if kind == "url_citation" else {"file_id", "filename"}
    return {
        note[key].removesuffix("?utm_source=openai"): {name: note[name] for name in kept} for note in notes
    }


def play(exchange: Exchange, in_one_read: bool = False) -> Run:
    """Run the request of an exchange to its end, with recorded replies and results."""

    async def played() -> Run:
        services = await ToolServices.open(SETTINGS)
        model = ScriptedModel(*replies_of(exchange), in_one_read=in_one_read)

        def hosted(tools: list[Tool], context: RequestContext) -> list[HostedTool]:
            given = ToolContext(
                services=services,
                request=context,
                wrap=lambda inner: calls,
                file_search=RecordedFiles(exchange),
                containers=RecordedContainers(exchange),
            )
            return open_tools(tools, given)

        calls: ToolCalls = RecordedCalls(exchange)
        try:
            run = Run(_without_limit(exchange.request), model, hosted)
            await run.play()
        finally:
            await services.close()
        return run

    return asyncio.run(played())


def _without_limit(request: JSONObject) -> JSONObject:
    """Remove `max_tool_calls`, which the API ignored in February 2026, when it was recorded."""
    return {name: value for name, value in request.items() if name != "max_tool_calls"}


def _listed(tool: JSONObject) -> JSONObject:
    """Return a tool as an MCP server lists it."""
    read_only = tool["annotations"]["read_only"]
    return {
        "name": tool["name"],
        "description": tool["description"],
        "inputSchema": tool["input_schema"],
        "annotations": {"readOnlyHint": read_only},
    }


def _page(url: str, known: dict[str, JSONObject]) -> JSONObject:
    title = known.get(url, {}).get("title", url)
    return {"url": url, "title": title, "content": "...", "score": 0.5, "raw_content": None}

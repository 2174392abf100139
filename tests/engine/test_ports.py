"""Objects around the ports that change nothing by themselves."""

import asyncio

from antiphon.engine.ports import (
    Endpoint,
    ResolvedModel,
    ToolCalls,
    WrappedCatalogue,
)
from antiphon.engine.request_context import RequestContext
from antiphon.wire.json import JSONObject
from antiphon.wire.models import BackendHealth, ModelList, Provider
from tests.engine.looping import ScriptedModel

MODEL = ResolvedModel(chat_model=ScriptedModel([]), name="m", id="up/m")
LISTED = ModelList(data=[])


class Inner:
    """Catalogue that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        self.asked.append(("resolve", model_id, context))
        return MODEL

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        self.asked.append(("ask", endpoint, request, context))
        return {"data": []}

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        self.asked.append(("tool_calls", context))
        return inner

    async def list_models(self) -> ModelList:
        self.asked.append("list_models")
        return LISTED

    async def embedding_model(self, context: RequestContext) -> str | None:
        self.asked.append(("embedding_model", context))
        return "up/e"

    async def providers(self) -> list[Provider]:
        self.asked.append("providers")
        return []

    async def backend_health(self, seconds: float) -> list[BackendHealth]:
        self.asked.append(("backend_health", seconds))
        return [BackendHealth(name="up", status="OK", message="")]

    def calls_in_progress(self) -> int:
        self.asked.append("calls_in_progress")
        return 3

    def notices(self) -> list[str]:
        self.asked.append("notices")
        return ["Note."]

    async def close(self) -> None:
        self.asked.append("close")


def test_a_wrapped_catalogue_passes_every_call_on() -> None:
    inner, context = Inner(), RequestContext(owner="me")
    wrapped = WrappedCatalogue(inner)

    async def scenario() -> None:
        assert await wrapped.resolve("up/m", context) is MODEL
        assert await wrapped.ask("embeddings", {"input": "x"}, context) == {"data": []}
        assert await wrapped.list_models() is LISTED
        assert await wrapped.embedding_model(context) == "up/e"
        assert await wrapped.providers() == []
        assert [each.name for each in await wrapped.backend_health(0.5)] == ["up"]
        assert wrapped.calls_in_progress() == 3
        assert wrapped.notices() == ["Note."]
        await wrapped.close()

    asyncio.run(scenario())
    assert inner.asked == [
        ("resolve", "up/m", context),
        ("ask", "embeddings", {"input": "x"}, context),
        "list_models",
        ("embedding_model", context),
        "providers",
        ("backend_health", 0.5),
        "calls_in_progress",
        "notices",
        "close",
    ]

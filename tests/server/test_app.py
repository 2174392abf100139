import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from antiphon.engine.ports import Endpoint, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import NotFound
from antiphon.server.app import create_app
from antiphon.server.edge.state import ServerState
from antiphon.service.services import Services
from antiphon.store import Store
from antiphon.wire.json import JSONObject
from antiphon.wire.models import BackendHealth, Model, ModelList, Provider
from tests.server.asgi import Answer, run, scope


class Catalogue:
    """A catalogue without models, or one that raises an error."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        raise NotFound("none", code="model_not_found", param="model")

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        raise NotImplementedError

    async def backend_health(self, seconds: float) -> list[BackendHealth]:
        raise NotImplementedError

    async def embedding_model(self, context: RequestContext) -> str | None:
        return None

    async def providers(self) -> list[Provider]:
        raise NotImplementedError

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        return inner

    async def list_models(self) -> ModelList:
        if self.fault is not None:
            raise self.fault
        return ModelList(data=[Model(id="a/b", owned_by="tests")])

    def calls_in_progress(self) -> int:
        return 0

    def notices(self) -> list[str]:
        return []

    async def close(self) -> None:
        return None


def with_app(folder: Path, catalogue: Catalogue, test: Callable[[ASGIApp], Awaitable[None]]) -> None:
    async def work() -> None:
        store = await Store.open(str(folder / "state.db"))
        try:
            async with Services.open(store, catalogue) as services:
                await test(create_app(ServerState(services=services)))
        finally:
            await store.close()

    asyncio.run(work())


async def answered(app: ASGIApp, method: str, path: str) -> Answer:
    answer = Answer()
    await run(app, scope(method, path), answer)
    return answer


def test_a_route(tmp_path: Path) -> None:
    async def check(app: ASGIApp) -> None:
        answer = await answered(app, "GET", "/v1/models")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert [model["id"] for model in answer.json["data"]] == ["a/b"]

    with_app(tmp_path, Catalogue(), check)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/", 404, "Invalid URL (GET /)"),
        ("GET", "/v1", 404, "Invalid URL (GET /v1)"),
        ("GET", "/v1/responses/", 404, "Invalid URL (GET /v1/responses/)"),
        ("POST", "/v1/responses/resp_1/cancels", 404, "Invalid URL (POST /v1/responses/resp_1/cancels)"),
        ("GET", "/v1/conversations", 405, "Not allowed to GET on /v1/conversations."),
        ("PUT", "/v1/responses", 405, "Not allowed to PUT on /v1/responses."),
        ("GET", "/nothing", 404, "Invalid URL (GET /nothing)"),
    ],
)
def test_what_is_not_there(tmp_path: Path, method: str, path: str, status: int, message: str) -> None:
    async def check(app: ASGIApp) -> None:
        answer = await answered(app, method, path)
        assert answer.status == status
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        assert answer.json == {"error": error, "request_id": answer.headers["x-request-id"]}
        assert answer.headers["x-request-id"].startswith("req_")

    with_app(tmp_path, Catalogue(), check)


def test_the_error_for_a_refused_method_names_the_allowed_ones(tmp_path: Path) -> None:
    async def check(app: ASGIApp) -> None:
        for path in ("/v1/responses", "/v1/conversations/conv_1/items", "/v1/models/a/b"):
            answer = await answered(app, "PATCH", path)
            assert answer.status == 405
            allowed = answer.headers["allow"].split(", ")
            assert allowed == ["GET", "HEAD", "POST"] if "models" not in path else ["DELETE", "GET", "HEAD"]

    with_app(tmp_path, Catalogue(), check)


def test_a_server_error_has_the_envelope_and_an_id_and_is_raised_again(tmp_path: Path) -> None:
    async def check(app: ASGIApp) -> None:
        answer = Answer()
        with pytest.raises(ZeroDivisionError):
            await run(app, scope("GET", "/v1/models"), answer)
        assert answer.status == 500
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.json["error"]["type"] == "server_error"
        assert "secret" not in answer.json["error"]["message"]

    with_app(tmp_path, Catalogue(ZeroDivisionError("secret")), check)


@pytest.mark.parametrize(("path", "status"), [("/v1/models", 200), ("/v1/models/none", 404), ("/v1/no", 404)])
def test_a_request_leaves_nothing_that_only_the_collector_frees(
    tmp_path: Path, path: str, status: int
) -> None:
    """The server rarely runs the garbage collector."""

    async def check(app: ASGIApp) -> None:
        await answered(app, "GET", path)
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                assert (await answered(app, "GET", path)).status == status
            assert gc.collect() < 10
        finally:
            gc.enable()

    with_app(tmp_path, Catalogue(), check)


def test_no_cookie_and_no_cors_by_default(tmp_path: Path) -> None:
    async def check(app: ASGIApp) -> None:
        answer = Answer()
        await run(app, scope("GET", "/v1/models", headers={"origin": "https://evil.example"}), answer)
        assert answer.headers.keys() == {"content-length", "content-type", "x-request-id"}

    with_app(tmp_path, Catalogue(), check)

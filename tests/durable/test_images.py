"""Generated images of background responses whose server crashes: a finished image is in the journal."""

import pytest

from antiphon.durable import log
from antiphon.engine.ports import HostedTools, ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.service.responses.responses import Responses
from antiphon.settings.tools import ImageGenerationSettings, ToolsSettings
from antiphon.store import Store
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.registry import open_tools
from antiphon.wire.responses import CreateResponse
from tests.durable import crashing
from tests.durable.crashing import ID, Servers
from tests.durable.test_crashes import crash
from tests.service.world import ME, say
from tests.store.conftest import Run
from tests.support.upstream import Upstream, reply

CALL = {
    "index": 0,
    "id": "call_1",
    "function": {"name": "image_generation", "arguments": '{"prompt": "A cat."}'},
}


class Drawing(Servers):
    """Servers with an images backend."""

    def __init__(self, store: Store, services: ToolServices) -> None:
        self._services = services
        super().__init__(store)

    def responses_of(self, catalogue: ModelCatalogue) -> Responses:
        async def opened(context: RequestContext, request: CreateResponse) -> HostedTools:
            given = ToolContext(
                services=self._services,
                request=context,
                wrap=lambda inner: catalogue.tool_calls(inner, context),
            )
            return HostedTools(open_tools(request.tools or (), given))

        return Responses(self.store, catalogue, opened)


def test_a_finished_image_is_not_generated_again_after_a_crash(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_MANY", 1)  # Nothing of a crashed execution is still due.
    monkeypatch.setattr(
        crashing, "REPLIES", {0: say(finish="tool_calls", tool_calls=[CALL]), 1: say("Done.")}
    )

    async def scenario(images: Upstream) -> None:
        images.script(reply({"data": [{"b64_json": "AA=="}]}))
        settings = ToolsSettings(image_generation=ImageGenerationSettings(base_url=images.base_url))
        services = await ToolServices.open(settings)
        try:
            await crashes(Drawing(store, services), images)
        finally:
            await services.close()

    async def crashes(servers: Drawing, images: Upstream) -> None:
        at, kept, has_crashed = 0, 0, True
        while has_crashed:
            at += 1
            await servers.submit(tools=[{"type": "image_generation"}])
            has_crashed = await crash(servers, at, is_committed=True)
            if (again := await servers.next()) is not None:
                is_finished = any(
                    name.startswith("tool:images.") and body for name, body in again.steps.items()
                )
                before = len(images.requests)
                await servers.go_on(again)
                assert len(images.requests) - before == (not is_finished)
                kept += is_finished
            response = (await servers.events())[-1]["response"]
            assert [item["type"] for item in response["output"]] == ["image_generation_call", "message"]
            assert (response["output"][0]["status"], response["output"][0]["result"]) == ("completed", "AA==")
            assert await store.responses.delete(ME, ID)
        assert kept >= 1

    with Upstream() as images:
        run(scenario(images))

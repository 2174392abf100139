"""Image generation as the engine uses it, over a scripted images backend."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from antiphon.engine.ports import ToolCalls
from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.settings.tools import ImageGenerationSettings, ToolsSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.registry import open_tools
from antiphon.wire.json import JSON, JSONObject
from tests.engine.hosting import calls as calling
from tests.engine.hosting import says
from tests.engine.life_cycle import check_life_cycles
from tests.support.upstream import Answer, Upstream, reply, sse
from tests.wire.engine import Run, ScriptedModel

KEY = "sk-canary"
IMAGE: JSONObject = {"data": [{"b64_json": "AA=="}], "size": "1024x1024", "quality": "high", "usage": {}}


@pytest.fixture
def images() -> Iterator[Upstream]:
    with Upstream() as service:
        yield service


def play(
    service: Upstream, *answers: Answer, prompt: JSON = "A cat.", wrap: bool = False, **tool: JSON
) -> list[JSONObject]:
    """Return the events of a response whose model generates one image."""
    service.script(*answers)
    settings = ImageGenerationSettings(base_url=service.base_url, api_key=Secret(KEY), max_bytes=10_000)
    return respond(ToolsSettings(image_generation=settings), prompt, tool)


def respond(settings: ToolsSettings, prompt: JSON, tool: JSONObject) -> list[JSONObject]:
    model = ScriptedModel(calling(("image_generation", json.dumps({"prompt": prompt}))), says("Done."))
    body: JSON = {"model": "m", "input": "Draw a cat.", "tools": [{"type": "image_generation", **tool}]}

    async def work() -> list[JSONObject]:
        services = await ToolServices.open(settings)

        def unchanged(inner: ToolCalls) -> ToolCalls:
            return inner

        try:
            run = Run(
                body,
                model,
                lambda tools, request: open_tools(
                    tools, ToolContext(services=services, request=request, wrap=unchanged)
                ),
            )
            await run.play()
        finally:
            await services.close()
        return run.events

    return asyncio.run(work())


def output(events: list[JSONObject]) -> JSONObject:
    item: JSONObject = events[-1]["response"]["output"][0]
    return item


def test_an_image_comes_from_the_images_backend(images: Upstream) -> None:
    events = play(
        images, reply(IMAGE), quality="high", complexity="low", svg={"model": "s"}, model="gpt-image-2"
    )
    check_life_cycles(
        [event for event in events if "response" not in event], events[-1]["response"]["output"]
    )
    assert [event["type"].removeprefix("response.") for event in events[2:7]] == [
        "output_item.added",
        "image_generation_call.in_progress",
        "image_generation_call.generating",
        "image_generation_call.completed",
        "output_item.done",
    ]
    item = output(events)
    assert {key: value for key, value in item.items() if key != "id"} == {
        "type": "image_generation_call",
        "status": "completed",
        "result": "AA==",
        "revised_prompt": "A cat.",
        "size": "1024x1024",
        "quality": "high",
    }
    [request] = images.requests
    assert (request.method, request.path) == ("POST", "/v1/images/generations")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {
        "prompt": "A cat.",
        "quality": "high",
        "complexity": "low",
        "svg": {"model": "s"},
        "model": "gpt-image-2",
    }


def test_partial_images_come_in_order(images: Upstream) -> None:
    events = play(
        images,
        sse(
            {"type": "image_generation.partial_image", "b64_json": "AQ==", "partial_image_index": 0},
            {"type": "image_generation.partial_image", "b64_json": "Ag==", "partial_image_index": 1},
            {"type": "image_generation.completed", "b64_json": "Aw==", "size": "1024x1024"},
        ),
        partial_images=2,
    )
    partial = [event for event in events if event["type"].endswith("partial_image")]
    assert [(event["partial_image_index"], event["partial_image_b64"]) for event in partial] == [
        (0, "AQ=="),
        (1, "Ag=="),
    ]
    assert output(events)["result"] == "Aw=="
    assert images.requests[0].json["stream"] is True


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply({"error": {"message": f"No {KEY}"}}, status=400), "HTTP 400: No"),
        (reply({"data": []}), "has no image"),
        (reply({"data": [{"url": "http://a.example"}]}), "has no image"),
        (reply([]), "is not a JSON object"),
        (reply({"data": [{"b64_json": "A" * 20_000}]}), "longer than 10000 bytes"),
        (sse({"type": "error", "error": {"message": "moderated"}}), "moderated"),
        (sse({"type": "image_generation.partial_image", "b64_json": "AQ=="}), "ended without an image"),
    ],
)
def test_a_failure_is_in_the_item_and_the_response_goes_on(
    images: Upstream, answer: Answer, message: str
) -> None:
    events = play(images, answer)
    item = output(events)
    assert (item["status"], item["result"]) == ("failed", None)
    assert message in item["error"]["message"]
    assert KEY not in str(events)
    assert events[-1]["response"]["status"] == "completed"
    assert not any(event["type"].endswith("image_generation_call.completed") for event in events)


def test_a_call_without_a_prompt_fails_without_a_request(images: Upstream) -> None:
    assert output(play(images, reply(IMAGE), prompt=["cat"]))["status"] == "failed"
    assert images.requests == []


def test_the_model_of_the_settings_is_used(images: Upstream) -> None:
    images.script(reply(IMAGE))
    settings = ImageGenerationSettings(base_url=images.base_url, model="flux")
    respond(ToolsSettings(image_generation=settings), "A cat.", {"model": "gpt-image-2"})
    assert images.requests[0].json["model"] == "flux"
    assert "authorization" not in images.requests[0].headers


def test_without_a_backend_the_error_names_the_setting() -> None:
    with pytest.raises(InvalidRequest, match=r"base_url in \[tools\.image_generation\]") as caught:
        respond(ToolsSettings(), "A cat.", {})
    assert (caught.value.param, caught.value.code) == ("tools[0]", "unsupported_tool")


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"action": "edit"}, "action"),
        ({"input_image_mask": {"file_id": "file-1"}}, "input_image_mask"),
        ({"input_fidelity": "high"}, "input_fidelity"),
        ({"output_format": "gif", "partial_images": 1}, "partial_images"),
    ],
)
def test_what_the_server_cannot_do_is_refused_by_name(images: Upstream, tool: JSONObject, param: str) -> None:
    with pytest.raises(AntiphonError) as caught:
        play(images, **tool)
    assert caught.value.body().param == f"tools[0].{param}"

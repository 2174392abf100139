import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TypeVar

import pytest

from antiphon.backends import listing as listing_module
from antiphon.backends.catalogue import Models
from antiphon.backends.http.client import HttpClient
from antiphon.backends.listing import Listing
from antiphon.backends.sample.model import SampleModel
from antiphon.engine.ports import ModelCatalogue, ResolvedModel
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, InvalidRequest, NotFound, UpstreamUnreachable
from antiphon.settings.backends import BackendSettings, Kind
from antiphon.settings.schema import Settings
from antiphon.settings.values import Secret
from antiphon.wire.json import JSON
from tests.support.upstream import Upstream, html, models_list, reply, silence

T = TypeVar("T")
KEY = "sk-canary-0815"


def catalogue(
    call: Callable[[Models], Awaitable[T]], *backends: BackendSettings, ports: dict[int, Kind] | None = None
) -> T:
    async def run() -> T:
        settings = Settings(
            database=":memory:", models={b.name: b for b in backends}, discover=ports is not None
        )
        models = await Models.open(settings, ports or {})
        try:
            return await call(models)
        finally:
            await models.close()

    return asyncio.run(run())


def at(name: str, upstream: Upstream, **settings: JSON) -> BackendSettings:
    return BackendSettings(
        name=name, base_url=upstream.base_url, api_key=Secret(KEY), origin="antiphon.toml", **settings
    )


def nowhere(name: str) -> BackendSettings:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    return BackendSettings(name=name, base_url=f"http://127.0.0.1:{port}/v1")


def resolved(model_id: str, *backends: BackendSettings) -> tuple[str, str]:
    found = catalogue(lambda models: models.resolve(model_id, RequestContext()), *backends)
    return found.id, found.name


def refused(model_id: str, *backends: BackendSettings) -> AntiphonError:
    async def call(models: Models) -> AntiphonError:
        with pytest.raises((NotFound, InvalidRequest)) as caught:
            await models.resolve(model_id, RequestContext())
        return caught.value

    return catalogue(call, *backends)


def test_it_is_a_catalogue() -> None:
    async def call(models: ModelCatalogue) -> list[str]:
        return [model.id for model in (await models.list_models()).data]

    assert catalogue(call) == ["antiphon/sample"]


def test_backend_and_model() -> None:
    with Upstream(["gpt", "Qwen/Qwen3-8B"]) as upstream:
        house = at("house", upstream)
        assert resolved("house/gpt", house) == ("house/gpt", "gpt")
        assert resolved("gpt", house) == ("house/gpt", "gpt")
        assert resolved("house/Qwen/Qwen3-8B", house) == ("house/Qwen/Qwen3-8B", "Qwen/Qwen3-8B")
        assert resolved("Qwen/Qwen3-8B", house) == ("house/Qwen/Qwen3-8B", "Qwen/Qwen3-8B")


def test_the_model_is_called_at_its_backend() -> None:
    async def call(models: Models) -> bytes:
        found = await models.resolve("b", RequestContext())
        return await found.chat_model.complete({"model": found.name, "messages": []})

    with Upstream(["a"]) as first, Upstream(["b"]) as second:
        second.script(reply())
        answer = catalogue(call, at("one", first), at("two", second))
        assert json.loads(answer)["choices"]
        assert (len(first.chats), len(second.chats)) == (0, 1)
        assert second.chats[0].json["model"] == "b"


def test_a_named_backend_is_believed_about_models_that_it_does_not_list() -> None:
    with Upstream(["a"]) as upstream:
        assert resolved("house/ft:a:me", at("house", upstream)) == ("house/ft:a:me", "ft:a:me")
        assert resolved("off/anything", nowhere("off"), at("house", upstream)) == ("off/anything", "anything")


def test_ollamas_latest_tag_may_be_omitted() -> None:
    with Upstream(["llama3.2:latest"]) as upstream:
        assert resolved("llama3.2", at("ollama", upstream))[0] == "ollama/llama3.2:latest"


def test_a_bare_id_of_two_backends_is_ambiguous() -> None:
    with Upstream(["m", "n"]) as first, Upstream(["m"]) as second:
        both = at("one", first), at("two", second)
        error = refused("m", *both)
        assert isinstance(error, InvalidRequest)
        assert (error.status, error.code, error.param) == (400, "model_ambiguous", "model")
        assert "one/m, two/m" in error.message
        assert resolved("n", *both)[0] == "one/n"


def test_a_backends_name_wins_over_a_slash_in_a_model() -> None:
    with Upstream(["openai/gpt"]) as router, Upstream(["gpt"]) as direct:
        both = at("router", router), at("openai", direct)
        assert resolved("openai/gpt", *both) == ("openai/gpt", "gpt")
        assert resolved("router/openai/gpt", *both) == ("router/openai/gpt", "openai/gpt")


def test_F10_an_unknown_model() -> None:
    with Upstream([f"model-{number:03}" for number in range(300)]) as upstream:
        error = refused("model-02x", at("house", upstream))
    assert isinstance(error, NotFound)
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert "'model-02x' does not exist" in error.message
    assert "house/model-02" in error.message
    assert "and 291 more" in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize("model_id", ["", "/", "house/", "/gpt", "antiphon/gpt", "x" * 10_000])
def test_ids_that_name_nothing(model_id: str) -> None:
    with Upstream(["gpt"]) as upstream:
        error = refused(model_id, at("house", upstream))
    assert error.code == "model_not_found"
    assert len(error.message) < 500


def test_the_message_names_backends_without_a_list() -> None:
    with Upstream(["gpt"]) as upstream:
        message = refused("other", at("house", upstream), nowhere("off")).message
    assert "Backends without a model list: off (cannot connect to 127.0.0.1:" in message


def test_the_only_backend_answers_for_itself_if_it_lists_nothing() -> None:
    async def call(models: Models) -> ResolvedModel:
        found = await models.resolve("gpt", RequestContext())
        with pytest.raises(UpstreamUnreachable):
            await found.chat_model.complete({"model": found.name, "messages": []})
        return found

    assert catalogue(call, nowhere("off")).id == "off/gpt"


@pytest.mark.parametrize("model_id", ["antiphon/sample", "sample"])
def test_the_sample_is_always_there(model_id: str) -> None:
    async def call(models: Models) -> ResolvedModel:
        return await models.resolve(model_id, RequestContext())

    with Upstream(["a"]) as upstream:
        for found in (catalogue(call), catalogue(call, at("house", upstream))):
            assert isinstance(found.chat_model, SampleModel)
            assert (found.id, found.name) == ("antiphon/sample", "sample")


def test_a_backends_own_sample_is_not_hidden() -> None:
    with Upstream(["sample"]) as upstream:
        assert resolved("sample", at("house", upstream))[0] == "house/sample"


def test_a_static_list_is_not_asked_for() -> None:
    with Upstream() as upstream:
        house = at("house", upstream, models=("a", "b"))
        assert resolved("b", house) == ("house/b", "b")
        assert upstream.requests == []


def test_the_list_of_models() -> None:
    async def call(models: Models) -> list[tuple[str, str, int]]:
        return [(model.id, model.owned_by, model.created) for model in (await models.list_models()).data]

    with Upstream(["z", "a"]) as first, Upstream(["m"]) as second:
        second.models_answer = reply({"data": [{"id": "m"}, {"id": 5}, "x", {"id": "n", "created": "x"}]})
        listed = catalogue(call, at("two", second), at("one", first), nowhere("off"))
        assert first.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert listed == [
        ("one/a", "tests", 1),
        ("one/z", "tests", 1),
        ("two/m", "two", 0),
        ("two/n", "two", 0),
        ("antiphon/sample", "antiphon", 0),
    ]


def test_what_is_found_is_in_the_catalogue_without_a_second_question() -> None:
    async def call(models: Models) -> str:
        await models.list_models()
        return (await models.resolve("llama", RequestContext())).id

    with Upstream() as upstream:
        upstream.models_answer = reply(models_list("llama", owned_by="library"))
        assert catalogue(call, ports={upstream.port: "ollama"}) == "ollama/llama"
        assert len(upstream.requests) == 1


def test_a_configured_local_server_is_not_found_again() -> None:
    async def call(models: Models) -> list[str]:
        return models.notices()

    with Upstream(["a"]) as upstream:
        (line,) = catalogue(call, at("mine", upstream), ports={upstream.port: "ollama"})
        assert line.startswith("mine at ")


def test_this_servers_own_port_is_not_asked() -> None:
    async def run(port: int) -> None:
        models = await Models.open(Settings(database=":memory:", port=port), {port: "vllm"})
        await models.close()

    with Upstream() as upstream:
        asyncio.run(run(upstream.port))
        assert upstream.connections == 0


def test_a_start_that_is_broken_off_leaves_nothing_open() -> None:
    async def run() -> None:
        settings = Settings(database=":memory:", models={"house": at("house", upstream)}, discover=False)
        opening = asyncio.create_task(Models.open(settings))
        assert await asyncio.to_thread(upstream.hanging.wait, 5)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert await asyncio.to_thread(upstream.disconnected.wait, 5)

    with Upstream() as upstream:
        upstream.models_answer = silence()
        asyncio.run(run())


def test_notices() -> None:
    async def call(models: Models) -> list[str]:
        return models.notices()

    with ExitStack() as stack:
        good, page, slow = (stack.enter_context(Upstream(["a"])) for _ in range(3))
        page.models_answer = html("Log in")
        slow.models_answer = silence()
        fixed = BackendSettings(name="fixed", base_url="https://models.example/v1", models=("a", "b"))
        off = nowhere("off")
        backends = (at("good", good), at("page", page), at("slow", slow), fixed, off)
        lines = catalogue(call, *backends)
    assert lines[0].startswith(f"good at http://127.0.0.1:{good.port} (antiphon.toml): 1 model, ")
    assert lines[0].endswith(" ms")
    assert lines[1].endswith("its answer is not a model list: Log in")
    assert lines[2].endswith("has not listed its models yet")
    assert lines[3] == "fixed at https://models.example (configured): 2 models"
    assert (
        lines[4]
        == f"off at {off.base_url.removesuffix('/v1')} (configured): cannot connect: Connection refused"
    )
    assert KEY not in "".join(lines)


def test_the_notice_without_a_backend() -> None:
    async def call(models: Models) -> list[str]:
        return models.notices()

    lines = catalogue(call)
    assert lines == [
        "no backend found; set OPENAI_API_KEY, start Ollama, or add [models.NAME] to antiphon.toml",
        "antiphon/sample answers without a backend; it isn't a language model",
    ]
    assert max(map(len, lines)) <= 100


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def listing(call: Callable[[Listing, Clock], Awaitable[T]], upstream: Upstream) -> T:
    async def run() -> T:
        client, clock = HttpClient(), Clock()
        one = Listing(client, at("house", upstream), clock)
        try:
            return await call(one, clock)
        finally:
            await one.close()
            await client.close()

    return asyncio.run(run())


def test_a_list_is_asked_for_again_only_when_it_is_old() -> None:
    async def call(one: Listing, clock: Clock) -> None:
        first, same = one.refresh(60), one.refresh(60)
        assert first is not None
        assert same is first
        await first
        assert one.find("b") is None
        clock.now += 60
        assert one.refresh(60) is None
        clock.now += 1
        upstream.models_answer = reply(models_list("a", "b"))
        again = one.refresh(60)
        assert again is not None
        await again
        assert one.find("b") == "b"

    with Upstream(["a"]) as upstream:
        listing(call, upstream)
        assert len(upstream.requests) == 2


def test_a_failure_keeps_the_earlier_list_and_is_not_asked_again_at_once() -> None:
    async def call(one: Listing, clock: Clock) -> None:
        first = one.refresh(5)
        assert first is not None
        await first
        upstream.models_answer = reply({"error": f"no more, {KEY}"}, status=500)
        clock.now += 6
        second = one.refresh(5)
        assert second is not None
        await second
        assert one.find("a") == "a"
        assert one.problem == "no more, ***"
        assert one.refresh(5) is None

    with Upstream(["a"]) as upstream:
        listing(call, upstream)


def test_a_new_model_is_found_when_somebody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(models: Models) -> str:
        with pytest.raises(NotFound):
            await models.resolve("new", RequestContext())
        upstream.models_answer = reply(models_list("a", "new"))
        with pytest.raises(NotFound):
            await models.resolve("new", RequestContext())
        asked = len(upstream.requests)
        monkeypatch.setattr("antiphon.backends.catalogue._UNKNOWN_AGE", -1.0)
        found = await models.resolve("new", RequestContext())
        assert len(upstream.requests) == asked + 1
        return found.id

    with Upstream(["a"]) as upstream:
        assert catalogue(call, at("house", upstream)) == "house/new"


def test_a_slow_list_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_module, "LIST_TIMEOUT", 0.05)

    async def call(one: Listing, _: Clock) -> None:
        task = one.refresh(0)
        assert task is not None
        await task
        assert one.problem == "no model list within 0.05 s"
        assert one.models is None

    with Upstream() as upstream:
        upstream.models_answer = silence()
        listing(call, upstream)


def test_giving_up_a_wait_does_not_stop_the_question_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.backends.catalogue._START_WAIT", 0.0)

    async def call(models: Models) -> str:
        assert "has not listed its models yet" in models.notices()[0]
        impatient = asyncio.create_task(models.resolve("a", RequestContext()))
        await asyncio.sleep(0)
        patient = asyncio.create_task(models.resolve("a", RequestContext()))
        await asyncio.sleep(0)
        impatient.cancel()
        return (await patient).id

    with Upstream(["a"]) as upstream:
        assert catalogue(call, at("house", upstream)) == "house/a"

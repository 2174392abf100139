"""Backends that answer, for probes of readiness."""

import asyncio
import time

import pytest

from antiphon.backends import catalogue as catalogue_module
from antiphon.backends.catalogue import Models
from antiphon.wire.models import BackendHealth
from tests.backends.test_catalogue import at, catalogue, nowhere
from tests.support.upstream import Answer, Upstream, models_list, reply, silence


async def health(models: Models) -> list[BackendHealth]:
    return await models.backend_health(5)


def test_backends_are_healthy_if_they_answer() -> None:
    with Upstream(["a"]) as upstream:
        alive, dead = catalogue(health, at("alive", upstream), nowhere("dead"))
    assert alive == BackendHealth(name="alive", status="OK")
    assert (dead.name, dead.status) == ("dead", "Error")
    assert dead.message.startswith("cannot connect to 127.0.0.1:")


def test_a_server_without_backends_has_no_health_of_any() -> None:
    assert catalogue(health) == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (reply(models_list("other")), "OK"),
        (reply({"error": "no such route"}, status=404), "OK"),
        (reply({"error": "wrong key"}, status=401), "OK"),
        (reply({"error": "overloaded"}, status=503), "Error"),
    ],
)
def test_a_backend_whose_models_are_configured_only_has_to_answer(answer: Answer, status: str) -> None:
    with Upstream() as upstream:
        upstream.models_answer = answer

        async def call(models: Models) -> BackendHealth:
            (found,) = await models.backend_health(5)
            assert [model.id for model in (await models.list_models()).data[:-1]] == ["house/mine"]
            return found

        assert catalogue(call, at("house", upstream, models=("mine",))).status == status


def test_a_backend_is_asked_again_only_after_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(models: Models) -> None:
        for _ in range(3):
            await asyncio.gather(*(models.backend_health(5) for _ in range(5)))

    with Upstream(["a"]) as upstream:
        catalogue(call, at("house", upstream))
        assert len(upstream.requests) == 1  # That of the start.
        monkeypatch.setattr(catalogue_module, "_HEALTH_AGE", -1.0)
        catalogue(call, at("house", upstream))
        assert len(upstream.requests) == 1 + 1 + 3


def test_a_silent_backend_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "_START_WAIT", 0.0)

    async def call(models: Models) -> BackendHealth:
        began = time.monotonic()
        (found,) = await models.backend_health(0.05)
        assert time.monotonic() - began < 2
        return found

    with Upstream() as upstream:
        upstream.models_answer = silence()
        found = catalogue(call, at("house", upstream))
    assert found == BackendHealth(name="house", status="Error", message="has not answered yet")

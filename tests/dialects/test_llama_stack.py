"""The table of differences between clients."""

from collections import Counter
from typing import get_args, get_type_hints

import httpx2
import pytest
from starlette.requests import HTTPConnection

from antiphon.dialects.llama_stack import DIALECTS, DIFFERENCES, OPENAI, Dialect, Era, era_of
from antiphon.engine.behavior import Behavior
from antiphon.server.edge.requests import is_llama_stack
from antiphon.settings.schema import Settings
from antiphon.testing import serve
from tests.server.asgi import scope

OGX, OLD = "llama-stack", "llama-stack-2025"


def test_every_field_of_a_dialect_is_in_exactly_one_difference() -> None:
    fields = Counter(name for difference in DIFFERENCES for name in difference.changes)
    assert fields == dict.fromkeys(Dialect.__struct_fields__, 1)
    assert set(Behavior.__struct_fields__) < set(Dialect.__struct_fields__)


def test_every_difference_changes_something_and_says_why() -> None:
    for difference in DIFFERENCES:
        assert difference.what
        assert difference.reason.endswith(".")
        assert set(difference.eras) <= set(get_args(Era))
        assert all(getattr(OPENAI, name) != value for name, value in difference.changes.items())


def test_a_dialect_has_the_differences_of_its_era_only() -> None:
    for era in get_args(Era):
        for difference in DIFFERENCES:
            for name, value in difference.changes.items():
                expected = value if era in difference.eras else getattr(OPENAI, name)
                assert getattr(DIALECTS[era], name) == expected


def test_the_setting_has_each_dialect_and_auto() -> None:
    assert {"auto", *DIALECTS} == set(get_args(get_type_hints(Settings)["dialect"]))


@pytest.mark.parametrize(
    ("headers", "era"),
    [
        ({"user-agent": "LlamaStackClient/Python 0.2.23"}, OLD),
        ({"user-agent": "LlamaStackClient/Python 0.3.0"}, OLD),
        ({"user-agent": "AsyncLlamaStackClient/Python 0.5.4"}, OLD),
        ({"user-agent": "LlamaStackClient/Python 0.6.0"}, OLD),
        ({"user-agent": "LlamaStackClient/Python 0.6.1"}, OGX),
        ({"user-agent": "LlamaStackClient/Python 0.7.5", "x-llamastack-provider-data": "{}"}, OGX),
        ({"user-agent": "LlamaStackClient/Python 1.0"}, OGX),
        ({"user-agent": "LlamaStackClient/JS 0.4.0-alpha.2"}, OLD),
        ({"user-agent": "LlamaStackClient/0.4.0"}, OLD),
        ({"user-agent": "LlamaStackClient/Python unknown"}, OLD),
        ({"user-agent": "LlamaStackClient/Python " + "9" * 5000}, OLD),
        ({"user-agent": "LlamaStackClient/Python unknown", "x-ogx-provider-data": "{}"}, OGX),
        ({"user-agent": "OgxClient/Python 1.1.3"}, OGX),
        ({"user-agent": "AsyncOgxClient/Python 1.5.0"}, OGX),
        ({"user-agent": "OpenAI/Python 3.52.0", "x-llamastack-provider-data": "{}"}, OLD),
        ({"user-agent": "OpenAI/Python 3.52.0", "x-ogx-provider-data": "{}"}, OGX),
        ({"x-ogx-provider-data": "{}", "x-llamastack-provider-data": "{}"}, OGX),
        ({"x-llamastack-client-version": "0.4.7"}, OLD),
        ({"x-llamastack-client-version": "0.7.2"}, OGX),
    ],
)
def test_the_era_follows_from_version_and_headers(headers: dict[str, str], era: Era) -> None:
    given = {name.encode(): value.encode() for name, value in headers.items()}
    assert era_of(given) == era
    assert is_llama_stack(HTTPConnection(scope(headers=headers)))


@pytest.mark.parametrize(
    ("dialect", "agent", "expected"),
    [
        ("auto", "OpenAI/Python 3.52.0", "openai"),
        ("auto", "LlamaStackClient/Python 0.3.0", OLD),
        ("auto", "OgxClient/Python 1.1.3", OGX),
        ("openai", "LlamaStackClient/Python 0.3.0", "openai"),
        (OGX, "OpenAI/Python 3.52.0", OGX),
        (OGX, "LlamaStackClient/Python 0.3.0", OGX),
        (OLD, "OpenAI/Python 3.52.0", OLD),
        (OLD, "OgxClient/Python 1.1.3", OLD),
    ],
)
def test_the_setting_decides_for_all_clients(dialect: str, agent: str, expected: str) -> None:
    with (
        serve(mode="live", backends=[], dialect=dialect) as server,
        httpx2.Client(base_url=server.url, headers={"User-Agent": agent}, trust_env=False) as client,
    ):
        model = client.get("/models").json()["data"][0]
        one = client.get(f"/models/{model['id']}").json()
        body = {"model": model["id"], "input": "Hi", "stream": True}
        stream = client.post("/responses", json=body).text
    assert ("identifier" in model) is (expected == OLD)
    assert ("identifier" in one) is (expected != "openai")
    assert stream.endswith("data: [DONE]\n\n") is (expected != OLD)
    assert ('"response_id"' in stream) is (expected != "openai")

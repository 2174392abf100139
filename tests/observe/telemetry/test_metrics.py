"""`/metrics`, read by the parser of Prometheus' client."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from antiphon.errors import (
    AntiphonError,
    ContextLengthExceeded,
    InvalidRequest,
    ToolListFailed,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.observe.telemetry import series
from antiphon.observe.telemetry.metrics import Bounded, Metrics, kind_of
from antiphon.service.access.keys import create_key
from antiphon.service.access.limits import Limits
from antiphon.settings.backends import PRESETS, BackendSettings
from antiphon.store import Store
from antiphon.testing import serve
from antiphon.testing.server import LocalServer
from antiphon.wire.json import JSON, JSONObject
from tests.support.upstream import Upstream, chunk, reply, sse

USAGE: JSONObject = {
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "total_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 4},
}
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Values:
    """Return the value of each sample by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as opened:
        yield opened


def started(upstream: Upstream, **settings: JSON) -> "Iterator[LocalServer]":
    backend = BackendSettings(
        name="up", base_url=upstream.base_url, kind="openai", capabilities=PRESETS["openai"]
    )
    with serve(None, "live", backends=[backend], **settings) as server:
        yield server


def scrape(server: LocalServer) -> Values:
    answer = httpx2.get(f"{server.url.removesuffix('/v1')}/metrics", timeout=30)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parsed(answer.text)


@pytest.mark.slow
def test_requests_responses_tokens_and_errors_are_counted(upstream: Upstream) -> None:
    upstream.forget()
    upstream.script(
        sse(chunk("Hel"), chunk("lo"), chunk(finish="stop"), chunk(usage=USAGE)),
        reply({"error": {"message": "slow down"}}, status=429),
        sse(chunk("Hello."), chunk(finish="stop"), chunk(usage=USAGE)),
    )
    for server in started(upstream, metrics="true"):
        post = {"model": "up/m", "input": "Hi."}
        url = f"{server.url}/responses"
        assert httpx2.post(url, json={**post, "stream": True}, timeout=30).status_code == 200
        assert httpx2.post(url, json=post, timeout=30).status_code == 429
        assert httpx2.post(url, json={**post, "background": True}, timeout=30).status_code == 200
        assert httpx2.post(url, json={"model": 3}, timeout=30).status_code == 400
        assert httpx2.get(f"{url}/resp_none", timeout=30).status_code == 404
        assert httpx2.get(f"{server.url}/{'x' * 50}", timeout=30).status_code == 404
        found = scrape(server)
        while found[("antiphon_background_queued", ())] or found[("antiphon_background_running", ())]:
            found = scrape(server)

    def value(name: str, **labels: str) -> float:
        return found[name, tuple(sorted(labels.items()))]

    assert value("antiphon_requests_total", method="POST", route="/v1/responses", status="200") == 2
    assert value("antiphon_requests_total", method="POST", route="/v1/responses", status="429") == 1
    assert value("antiphon_requests_total", method="POST", route="/v1/responses", status="400") == 1
    route = "/v1/responses/{response_id}"
    assert value("antiphon_requests_total", method="GET", route=route, status="404") == 1
    assert value("antiphon_requests_total", method="GET", route="other", status="404") == 1
    assert value("antiphon_responses_total", model="up/m", status="completed") == 2
    assert value("antiphon_responses_total", model="up/m", status="failed") == 1
    assert value("antiphon_responses_in_progress") == 0
    assert value("antiphon_tokens_total", model="up/m", type="input") == 14
    assert value("antiphon_tokens_total", model="up/m", type="output") == 6
    assert value("antiphon_tokens_total", model="up/m", type="cached") == 8
    assert value("antiphon_first_token_seconds_count", model="up/m") == 2
    assert value("antiphon_time_per_token_seconds_count", model="up/m") >= 1
    assert value("antiphon_backend_errors_total", backend="up", kind="rate_limited") == 1
    assert value("antiphon_streams_open") == 0
    assert value("antiphon_store_seconds_count", operation="write") > 0
    assert value("antiphon_store_group_size_sum") >= value("antiphon_store_group_size_count")
    names = {name for name, _ in found}
    for each in series.ALL:
        if each in (series.TOOL_CALLS, series.TOOL_SECONDS):
            continue  # No tool was called.
        assert f"{each.shown}_count" in names or each.shown in names, each.name


@pytest.mark.slow
def test_a_websocket_and_its_requests_are_counted(upstream: Upstream) -> None:
    from websockets.sync.client import connect

    upstream.forget()
    call = {"name": "web_search", "arguments": '{"query": "x"}'}
    upstream.script(
        sse(
            chunk(tool_calls=[{"index": 0, "id": "c", "type": "function", "function": call}]),
            chunk(finish="tool_calls"),
        ),
        sse(chunk("Hello."), chunk(finish="stop")),
    )
    for server in started(upstream, metrics="true"):
        with connect(server.url.replace("http", "ws") + "/responses") as socket:
            assert scrape(server)["antiphon_websockets_open", ()] == 1
            # The vector store does not exist.
            tool = {"type": "file_search", "vector_store_ids": ["vs_none"]}
            body = {"type": "response.create", "model": "up/m", "input": "Hi.", "tools": [tool]}
            socket.send(json.dumps(body))
            assert json.loads(socket.recv())["type"] == "error"
        found = scrape(server)
        while found["antiphon_websockets_open", ()]:
            found = scrape(server)
    labels = (("method", "WS"), ("route", "/v1/responses"), ("status", "404"))
    assert found["antiphon_requests_total", labels] == 1


@pytest.mark.slow
def test_without_the_setting_the_metrics_are_off(upstream: Upstream) -> None:
    for server in started(upstream):
        answer = httpx2.get(f"{server.url.removesuffix('/v1')}/metrics", timeout=30)
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == (
            "Metrics are off. Set ANTIPHON_METRICS=true, and restart the server."
        )


@pytest.mark.slow
def test_with_keys_the_metrics_need_a_key_of_their_own(upstream: Upstream, tmp_path: Path) -> None:
    database = str(tmp_path / "state.db")

    async def keys() -> tuple[str, str]:
        store = await Store.open(database)
        try:
            scraping, _ = await create_key(store.keys, "prometheus", None, Limits(), "metrics")
            using, _ = await create_key(store.keys, "alice", None, Limits())
            return scraping, using
        finally:
            await store.close()

    scraping, using = asyncio.run(keys())
    for server in started(upstream, metrics="true", database=database):

        def status(path: str, key: str | None, base: str = server.url.removesuffix("/v1")) -> int:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            return httpx2.get(base + path, headers=headers, timeout=30).status_code

        assert [status("/metrics", key) for key in (scraping, using, None)] == [200, 403, 401]
        assert [status("/v1/models", key) for key in (scraping, using, None)] == [403, 200, 401]
        answer = httpx2.get(f"{server.url}/models", headers={"Authorization": f"Bearer {scraping}"})
        assert answer.json()["error"]["code"] == "missing_scope"


def test_a_label_that_clients_choose_has_a_limited_number_of_values() -> None:
    label = Bounded(2)
    assert [label(value) for value in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]
    assert len(Bounded()("x" * 1000)) == 100


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UpstreamUnreachable("m"), "unreachable"),
        (UpstreamTimeout("m"), "timeout"),
        (UpstreamBroken("m"), "broken"),
        (UpstreamRefused("m", upstream_status=429), "rate_limited"),
        (UpstreamRefused("m", upstream_status=500), "refused"),
        (ToolListFailed("docs", None, "m"), "tools"),
        (ContextLengthExceeded("m"), "context_length"),
        (InvalidRequest("m"), None),
    ],
)
def test_errors_of_backends_have_a_kind(error: AntiphonError, kind: str | None) -> None:
    assert kind_of(error) == kind


def test_a_database_that_does_not_answer_leaves_out_its_values() -> None:
    found = parsed(Metrics().text(None).decode())
    assert ("antiphon_background_queued", ()) not in found
    assert ("antiphon_streams_open", ()) in found

"""Webhooks, through OpenAI's own client."""

import importlib.util
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from openai import OpenAI
from openai.types.webhooks import UnwrapWebhookEvent

from tests.server.batching import RESPONSES, jsonl, line
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Request, Upstream, reply


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[Serving]:
    """Start one server that may send events to this machine."""
    database: Path = tmp_path_factory.mktemp("server") / "state.db"
    with Serving(database, backends(backend(shared_upstream)), allow_hosts=["127.0.0.1"]) as server:
        yield server


@pytest.fixture(scope="module")
def receiver() -> Iterator[Upstream]:
    with Upstream() as receiver:
        yield receiver


@pytest.fixture
def hook(receiver: Upstream) -> str:
    """Return the URL of an endpoint that accepts every event."""
    receiver.forget()
    receiver.script(reply({}))
    return f"http://127.0.0.1:{receiver.port}/hook"


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def unwrapped(client: OpenAI, request: Request, secret: str) -> UnwrapWebhookEvent:
    """Verify a delivery as the documentation of OpenAI's client shows it."""
    return client.webhooks.unwrap(request.body, request.headers, secret=secret)


def test_an_endpoint_lives_from_creation_to_deletion(client: OpenAI, hook: str) -> None:
    webhooks = client.webhooks
    made = webhooks.create(name="jobs", url=hook, event_types=["response.completed", "batch.failed"])
    assert made.signing_secret.startswith("whsec_")
    assert made.signing_secret_hint is not None
    assert made.signing_secret_hint[-4:] in made.signing_secret
    got = webhooks.retrieve(made.id)
    assert "signing_secret" not in got.to_dict()
    assert (got.name, got.url, got.event_types) == ("jobs", hook, ["response.completed", "batch.failed"])
    assert got.updated_at == got.created_at
    changed = webhooks.update(made.id, name="work", event_types=["batch.failed"])
    assert (changed.name, changed.url, changed.event_types) == ("work", hook, ["batch.failed"])
    assert [each.id for each in webhooks.list(limit=1)][:1] == [made.id]
    deleted = webhooks.delete(made.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (made.id, True, "webhook_endpoint.deleted")
    with pytest.raises(openai.NotFoundError):
        webhooks.retrieve(made.id)


def test_the_end_of_a_background_response_is_delivered_once_and_signed(
    client: OpenAI, upstream: Upstream, receiver: Upstream, hook: str
) -> None:
    endpoint = client.webhooks.create(name="jobs", url=hook, event_types=["response.completed"])
    upstream.script(reply())
    response = client.responses.create(model="m", input="hi", background=True)
    until(lambda: len(receiver.requests) == 1)
    [delivery] = receiver.requests
    event = unwrapped(client, delivery, endpoint.signing_secret)
    assert (event.type, event.object, event.data.id) == ("response.completed", "event", response.id)  # type: ignore[union-attr]
    assert event.id == delivery.headers["webhook-id"]
    assert delivery.headers["content-type"] == "application/json"
    with pytest.raises(openai.InvalidWebhookSignatureError):
        unwrapped(client, delivery, "whsec_" + "A" * 43 + "=")
    client.webhooks.delete(endpoint.id)
    # A foreground response has no event.
    client.responses.create(model="m", input="hi")


def test_the_receiver_of_the_documentation_handles_a_delivery(
    client: OpenAI,
    upstream: Upstream,
    receiver: Upstream,
    hook: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    endpoint = client.webhooks.create(name="jobs", url=hook, event_types=["response.completed"])
    upstream.script(reply())
    client.responses.create(model="m", input="hi", background=True)
    until(lambda: len(receiver.requests) == 1)
    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    example = page.partition("```python\n# src/receiver.py\n")[2].partition("```")[0]
    program = example.replace("http://127.0.0.1:8321/v1", str(client.base_url).rstrip("/"))
    (tmp_path / "receiver.py").write_text(program.replace("whsec_...", endpoint.signing_secret))
    spec = importlib.util.spec_from_file_location("receiver", tmp_path / "receiver.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.handle(receiver.requests[0].body, receiver.requests[0].headers)
    assert capsys.readouterr().out == "Hello.\n"
    client.webhooks.delete(endpoint.id)


def test_the_end_of_a_batch_is_delivered(client: OpenAI, receiver: Upstream, hook: str) -> None:
    endpoint = client.webhooks.create(name="jobs", url=hook, event_types=["batch.failed"])
    file = client.files.create(file=("a.jsonl", jsonl([line("1"), line("1")]).encode()), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint=RESPONSES, completion_window="24h")
    until(lambda: len(receiver.requests) == 1)
    event = unwrapped(client, receiver.requests[0], endpoint.signing_secret)
    assert (event.type, event.data.id) == ("batch.failed", batch.id)  # type: ignore[union-attr]
    client.webhooks.delete(endpoint.id)


def test_a_rotated_secret_can_keep_the_old_one_for_a_day(
    client: OpenAI, receiver: Upstream, hook: str
) -> None:
    endpoint = client.webhooks.create(name="jobs", url=hook, event_types=["response.completed"])
    both = client.webhooks.rotate_secret(endpoint.id, keep_old_secret_active_for_24_hours=True)
    assert both.signing_secret != endpoint.signing_secret
    client.webhooks.test(endpoint.id, event_type="response.completed")
    for secret in (endpoint.signing_secret, both.signing_secret):
        assert unwrapped(client, receiver.requests[-1], secret).type == "response.completed"
    last = client.webhooks.rotate_secret(endpoint.id)
    client.webhooks.test(endpoint.id, event_type="response.completed")
    assert unwrapped(client, receiver.requests[-1], last.signing_secret).type == "response.completed"
    with pytest.raises(openai.InvalidWebhookSignatureError):
        unwrapped(client, receiver.requests[-1], both.signing_secret)
    client.webhooks.delete(endpoint.id)


def test_a_test_reports_the_status_of_the_endpoint(client: OpenAI, receiver: Upstream, hook: str) -> None:
    endpoint = client.webhooks.create(name="jobs", url=hook, event_types=["batch.completed"])
    receiver.forget()
    receiver.script(reply({}, status=418))
    result = client.webhooks.test(endpoint.id, event_type="batch.completed")
    assert (result.status_code, result.success, result.event_type) == (418, True, "batch.completed")
    assert result.webhook_endpoint_id == endpoint.id
    event = unwrapped(client, receiver.requests[0], endpoint.signing_secret)
    assert event.data.id == "batch_test"  # type: ignore[union-attr]
    receiver.script(reply({}, status=307, Location=f"{hook}/elsewhere"))
    redirected = client.webhooks.test(endpoint.id, event_type="batch.completed")
    assert redirected.status_code == 307
    assert len(receiver.requests) == 2
    client.webhooks.update(endpoint.id, url="http://127.0.0.1:1/nothing")
    with pytest.raises(openai.BadRequestError) as failed:
        client.webhooks.test(endpoint.id, event_type="batch.completed")
    assert failed.value.code == "webhook_test_failed"
    client.webhooks.delete(endpoint.id)


def test_private_addresses_and_unknown_events_are_rejected(client: OpenAI, hook: str) -> None:
    with pytest.raises(openai.BadRequestError) as private:
        client.webhooks.create(name="a", url="http://10.0.0.1/", event_types=["batch.failed"])
    assert (private.value.code, private.value.param) == ("address_not_allowed", "url")
    with pytest.raises(openai.BadRequestError) as unknown:
        client.webhooks.create(name="a", url=hook, event_types=["video.completed"])
    assert unknown.value.param == "event_types[0]"
    with pytest.raises(openai.BadRequestError) as none:
        client.webhooks.create(name="a", url=hook, event_types=[])
    assert none.value.param == "event_types"


def test_the_event_types_are_listed(client: OpenAI) -> None:
    listed = client.get("/webhook_event_types", cast_to=dict[str, list[str]])
    assert "batch.completed" in listed["data"]
    assert "response.incomplete" in listed["data"]

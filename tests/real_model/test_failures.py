"""A model server that ends in the middle of a response, is down, starts again, and has no alias."""

from pathlib import Path

import pytest
from openai import APIError, InternalServerError, OpenAI

from tests.real_model.asking import MODEL
from tests.real_model.conftest import finding
from tests.real_model.running import llama
from tests.support.serving import Serving

STORY = "Write a very long story about a dog."


def test_a_server_that_ends_fails_the_response_and_serves_again_after_a_restart(
    folder: Path, tmp_path: Path
) -> None:
    with llama(folder) as first:
        port = first.port
        with (
            Serving(tmp_path / "state.db", finding(port)) as server,
            OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=600) as client,
        ):
            events = client.responses.create(model=MODEL, input=STORY, max_output_tokens=1500, stream=True)
            seen = [next(events)]
            while seen[-1].type != "response.output_text.delta":
                seen.append(next(events))
            first.kill()
            with pytest.raises(APIError, match="the connection was cut"):
                seen.extend(events)
            response_id = seen[0].response.id  # type: ignore[union-attr]
            failed = client.responses.retrieve(response_id)
            assert (failed.status, failed.error is not None) == ("failed", True)
            with pytest.raises(InternalServerError) as caught:
                client.responses.create(model=MODEL, input="Say hello.")
            assert caught.value.status_code == 502
            with llama(folder, port=port):
                again = client.responses.create(model=MODEL, input="Say hello.", max_output_tokens=16)
                assert again.output_text.strip()


def test_a_model_without_an_alias_is_named_after_its_file(folder: Path, tmp_path: Path) -> None:
    with (
        llama(folder, alias="") as running,
        Serving(tmp_path / "state.db", finding(running.port)) as server,
        OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=600) as client,
    ):
        [name] = [model.id for model in client.models.list() if model.id.startswith("llamacpp/")]
        assert name.count("/") == 1
        response = client.responses.create(model=name, input="Say hello.", max_output_tokens=16)
        assert (response.model, bool(response.output_text)) == (name, True)


def test_compaction_works_in_a_small_window(folder: Path, tmp_path: Path) -> None:
    with (
        llama(folder, context=2048) as running,
        Serving(tmp_path / "state.db", finding(running.port)) as server,
        OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=600) as client,
    ):
        facts = [
            {"role": "user", "content": f"Fact {number}: dog {number} is brown."} for number in range(60)
        ]
        response = client.responses.create(
            model=MODEL,
            input=facts,  # type: ignore[arg-type]
            context_management=[{"type": "compaction", "compact_threshold": 1000}],
            max_output_tokens=16,
        )
        assert response.status in ("completed", "incomplete")
        assert response.error is None

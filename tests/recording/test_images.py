"""Generated images, recorded once and then replayed without the images backend."""

from pathlib import Path

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import calls, says
from tests.recording.case_world import MODEL, recording
from tests.recording.hosted_world import alone
from tests.server.client import post
from tests.support.upstream import Upstream, reply

DRAW = calls(("call_1", "image_generation", {"prompt": "A cat."})), says("Done.")


def draw(url: str) -> list[JSONObject]:
    """Return the output of a response with an image, without ids."""
    tools: JSON = [{"type": "image_generation"}]
    answer = post(url, "/responses", {"model": MODEL, "input": "Draw.", "tools": tools})
    assert answer.status == 200, answer.json
    return [{key: value for key, value in item.items() if key != "id"} for item in answer.json["output"]]


@pytest.mark.parametrize("status", [200, 500])
def test_an_image_or_its_failure_replays_without_the_images_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    directory = tmp_path / "recordings"
    monkeypatch.chdir(tmp_path)
    with Upstream() as images:
        images.script(reply({"data": [{"b64_json": "AA=="}]}, status=status))
        table = f'[tools.image_generation]\nbase_url = "{images.base_url}"\napi_key = "sk-canary"'
        (tmp_path / "antiphon.toml").write_text(table)
        with recording(directory, *DRAW, discover=False) as (server, _):
            recorded = draw(server.url)
    assert recorded[0]["status"] == ("completed" if status == 200 else "failed")
    assert not any("sk-canary" in path.read_text() for path in directory.rglob("*.json*"))
    with alone(directory, replay_failures=True) as server:
        assert draw(server.url) == recorded


def test_a_fault_of_the_images_backend_fails_the_image_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Upstream() as images:
        (tmp_path / "antiphon.toml").write_text(f'[tools.image_generation]\nbase_url = "{images.base_url}"')
        fault = "503,tool=image_generation"
        with recording(tmp_path / "recordings", *DRAW, discover=False, fault=fault) as (server, _):
            image, message = draw(server.url)
        assert images.requests == []
    assert (image["status"], image["result"]) == ("failed", None)
    assert f"fault '{fault}'" in image["error"]["message"]
    assert message["content"][0]["text"] == "Done."

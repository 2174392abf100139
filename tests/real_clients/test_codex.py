"""Codex CLI changes a file through two tool calls and resumes its session, over HTTP and over WebSocket."""

import json
from pathlib import Path

import pytest

from antiphon.wire.json import JSON
from tests.clients.replies import calls, says
from tests.real_clients.installed import environment, run
from tests.real_clients.page import codex_configuration
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream

PATCH = """apply_patch <<'EOF'
*** Begin Patch
*** Update File: greeting.txt
@@
-Hello
+Goodbye
*** End Patch
EOF"""


@pytest.mark.timeout(220)
@pytest.mark.parametrize("websockets", [False, True])
def test_codex_changes_a_file(websockets: bool, upstream: Upstream, tmp_path: Path) -> None:
    codex = environment("codex") / "node_modules" / ".bin" / "codex"
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "greeting.txt").write_text("Hello\n")
    # Codex's sandbox can't be set up on every machine, and the commands are only those below.
    options = ["--json", "--skip-git-repo-check", "--sandbox=danger-full-access", "--cd", str(folder)]
    upstream.script(
        calls(("call_1", "exec_command", {"cmd": "cat greeting.txt"})),
        calls(("call_2", "exec_command", {"cmd": PATCH})),
        says("It says ", "goodbye."),
        says("I changed ", "a word."),
    )

    with Serving(tmp_path / "state.db", backends(backend(upstream))) as server:
        home = tmp_path / ".codex"
        home.mkdir()
        (home / "config.toml").write_text(codex_configuration(server.url, "up/m", websockets=websockets))
        asked = run([str(codex), "exec", *options, "Say goodbye in greeting.txt."], tmp_path, {})
        resumed = run([str(codex), "exec", *options, "resume", "--last", "What did you do?"], tmp_path, {})

    assert (folder / "greeting.txt").read_text() == "Goodbye\n"
    assert [item["type"] for item in done(asked)] == ["command_execution", "file_change", "agent_message"]
    assert done(asked)[-1]["text"] == "It says goodbye."
    assert [item["text"] for item in done(resumed)] == ["I changed a word."]
    read, changed = (chat.json["messages"][-1] for chat in upstream.chats[1:3])
    assert read["tool_call_id"] == "call_1"
    assert "Hello" in read["content"]
    assert changed["tool_call_id"] == "call_2"
    assert "M greeting.txt" in changed["content"]
    history = [message["role"] for message in upstream.chats[3].json["messages"]]
    assert history[-7:] == ["user", "assistant", "tool", "assistant", "tool", "assistant", "user"]
    assert server.websockets == (2 if websockets else 0), "one connection for each run"


def done(output: str) -> list[JSON]:
    """Return the items of a completed turn, whose tokens must have been counted."""
    events = [json.loads(line) for line in output.splitlines()]
    assert events[-1]["type"] == "turn.completed"
    assert events[-1]["usage"]["input_tokens"] > 0
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    # Codex knows OpenAI's models by name and warns about others.
    assert all("Model metadata" in item["message"] for item in items if item["type"] == "error")
    return [item for item in items if item["type"] != "error"]

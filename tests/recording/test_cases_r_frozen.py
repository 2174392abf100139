"""R1 with hosted tools: frozen runs have equal bytes, over HTTP and WebSocket, including files."""

import json
from pathlib import Path

from antiphon.testing import LocalServer
from antiphon.wire.json import JSONObject
from tests.clients.replies import says
from tests.recording.case_world import MODEL
from tests.recording.hosted_world import RUN, SECRET, alone, with_tools
from tests.server.client import Reply, get, post
from tests.server.forms import form, part, upload
from tests.server.sockets import Socket


def everything(server: LocalServer, mcp_url: str) -> list[bytes]:
    """Return all output of a server with all tools: each body, stream and frame, as bytes."""
    url, said = server.url, []

    def keep(reply: Reply) -> Reply:
        assert reply.status == 200, reply.body
        said.append(reply.body)
        return reply

    store = keep(post(url, "/vector_stores", {"name": "notes"})).json["id"]
    parts = part("purpose", b"assistants"), part("file", SECRET.encode(), "notes.txt")
    file = keep(upload(url, form(*parts))).json["id"]
    keep(post(url, f"/vector_stores/{store}/files", {"file_id": file}))
    while (attached := get(url, f"/vector_stores/{store}/files/{file}")).json["status"] == "in_progress":
        pass  # The number of these requests doesn't affect later output.
    keep(attached)
    keep(get(url, f"/vector_stores/{store}"))
    request: JSONObject = {
        "model": MODEL,
        "input": "At what temperature does it boil, and what is the code word?",
        "tools": [
            {"type": "mcp", "server_label": "lab", "server_url": mcp_url, "require_approval": "never"},
            {"type": "web_search"},
            {"type": "file_search", "vector_store_ids": [store]},
        ],
        "include": ["web_search_call.results", "file_search_call.results"],
    }
    response = keep(post(url, "/responses", {**request, "stream": True})).last["id"]
    keep(get(url, f"/responses/{response}"))
    keep(get(url, f"/responses/{response}/input_items"))
    conversation = keep(post(url, "/conversations", {})).json["id"]
    with Socket(url) as socket:
        said.append(json.dumps(socket.ask(**request)).encode())
        last = socket.ask(model=MODEL, input="And now?", conversation=conversation)
        said.append(json.dumps(last).encode())
    keep(get(url, f"/conversations/{conversation}/items"))
    return said


def test_R1_frozen_runs_with_hosted_tools_are_equal_to_the_byte(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    with with_tools(directory, *RUN, *RUN, says("Done."), freeze=True) as (server, running):
        mcp_url = f"{running.url}/basic/mcp"
        recorded = everything(server, mcp_url)
    assert b"BLUE_FALCON" in recorded[-3]
    for _ in range(2):
        with alone(directory, freeze=True) as server:
            assert everything(server, mcp_url) == recorded

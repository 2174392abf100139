"""Number of this project's modules that serve one request, by profiling a server in this process.

    python -m bench.modules

Two requests are measured, each after the same request as a warm-up: a plain stored stream, and a stream that
continues a response and searches the web once. The backend and the search engine are scripted. A module
counts when one of its functions runs between the request and the end of the response, in any thread.
"""

import json
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import antiphon
from antiphon.testing import serve
from antiphon.wire.json import JSON, JSONObject

OURS = os.path.dirname(antiphon.__file__) + os.sep
HARNESS = frozenset({"testing/server.py"})
"""Modules that run only because the server is in this process."""
_SETTLING = 0.3
"""Seconds after the last byte in which the server finishes its work on a request."""

_SETTINGS = """\
discover = false

[models.up]
base_url = "{origin}/v1"
kind = "openai"
api_key = "unused"

[tools.web_search]
provider = "searxng"
base_url = "{origin}"
"""
_CALL: JSON = [
    {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "web_search", "arguments": '{"query": "ferries"}'},
    }
]
_FOUND: JSON = {
    "results": [{"url": "https://example.org/", "title": "Ferries", "content": "At noon.", "score": 1}]
}


class Profiler:
    """The functions of this project that run while `watching` is on, in all threads that begin later."""

    def __init__(self) -> None:
        self.watching = False
        self._files: set[str] = set()

    def note(self, frame: FrameType, event: str, argument: object) -> None:
        """Keep the file of a function that is entered."""
        if self.watching and event == "call":
            self._files.add(frame.f_code.co_filename)

    def take(self) -> list[str]:
        """Return the modules since the last time, as paths inside the package."""
        files = {os.path.relpath(name, OURS) for name in self._files if name.startswith(OURS)}
        self._files.clear()
        return sorted(files - HARNESS)


class Scripted(BaseHTTPRequestHandler):
    """A chat backend that searches before it answers, if it has a tool for that, and a search engine."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a search, or list the models."""
        is_search = urlsplit(self.path).path == "/search"
        models = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "up"}]}
        self._send("application/json", json.dumps(_FOUND if is_search else models))

    def do_POST(self) -> None:
        """Answer a streamed chat request."""
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        searched = request["messages"][-1]["role"] == "tool"
        if request.get("tools") and not searched:
            deltas = [{"role": "assistant", "tool_calls": _CALL}]
        else:
            deltas = [{"role": "assistant", "content": ""}, *({"content": f" word{n}"} for n in range(20))]
        reason = "tool_calls" if "tool_calls" in deltas[0] else "stop"
        choices: list[JSONObject] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": reason})
        usage = {"prompt_tokens": 3, "completion_tokens": 20, "total_tokens": 23}
        chunks = [{"choices": [choice]} for choice in choices]
        end: JSONObject = {"choices": [], "usage": usage}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        events = [json.dumps({**head, **chunk}) for chunk in [*chunks, end]]
        self._send("text/event-stream", "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]))

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _send(self, media_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def scripted() -> Iterator[str]:
    """Serve the backend and the search engine until the block ends; yield their origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def respond(url: str, body: JSONObject) -> str:
    """Stream a response to its end and return its id.

    Raises:
        RuntimeError: The response did not complete.
    """
    text = json.dumps({"model": "up/m", "stream": True, **body}).encode()
    request = urllib.request.Request(f"{url}/responses", text, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        data = [line[6:] for line in answer.read().decode().splitlines() if line.startswith("data: {")]
    last = json.loads(data[-1])
    if last["type"] != "response.completed":
        raise RuntimeError(f"the response ended with {last}")
    return str(last["response"]["id"])


def measured(profiler: Profiler, url: str, body: JSONObject) -> list[str]:
    """Return the modules that serve a request, which has been made once before."""
    respond(url, body)
    time.sleep(_SETTLING)
    profiler.watching = True
    respond(url, body)
    time.sleep(_SETTLING)
    profiler.watching = False
    return profiler.take()


def counts() -> dict[str, list[str]]:
    """Return the modules of each request, by the request's name."""
    profiler = Profiler()
    before = Path.cwd()
    threading.setprofile(profiler.note)
    try:
        with tempfile.TemporaryDirectory() as folder, scripted() as origin:
            Path(folder, "antiphon.toml").write_text(_SETTINGS.format(origin=origin), encoding="utf-8")
            os.chdir(folder)
            database = str(Path(folder, "antiphon.db"))
            with serve(None, "live", database=database) as server:
                plain: JSONObject = {"input": "Hello."}
                first = respond(server.url, {"input": "When do ferries leave?"})
                search = {
                    "input": "Search.",
                    "tools": [{"type": "web_search"}],
                    "previous_response_id": first,
                }
                return {
                    "a plain stored stream": measured(profiler, server.url, plain),
                    "a stream with history and one web search": measured(profiler, server.url, search),
                }
    finally:
        os.chdir(before)
        threading.setprofile(None)


def main() -> None:
    """Print the modules of each request and their number."""
    for name, modules in counts().items():
        print(f"{name}: {len(modules)} modules")
        print("".join(f"  {module}\n" for module in modules))


if __name__ == "__main__":
    main()

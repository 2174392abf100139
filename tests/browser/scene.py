"""A server with responses, conversations and files, as people see them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import call, get, post
from tests.server.forms import uploaded
from tests.server.test_file_search import asks
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream, chunk, sse

HOSTILE = (
    "<script>document.title = 'hacked'</script> <img src=x onerror=\"document.title = 'hacked'\"> "
    "[click](javascript:document.title='hacked') ![pixel](https://evil.example/pixel.png) "
    "<style>body { display: none }</style> </td></tr></table> {{ 7 * 7 }}"
)
PARIS = "Paris has **2.1 million** inhabitants.\n\n| city | people |\n|---|---|\n| Paris | 2.1 million |"
USAGE: JSONObject = {"prompt_tokens": 412, "completion_tokens": 58, "total_tokens": 470}


@dataclass(frozen=True)
class Scene:
    """A server and the ids of what is on it."""

    origin: str
    """Address of the server, without a path."""
    upstream: Upstream
    hostile: str
    """Response with hostile texts."""
    tools: str
    """Response with a tool call between two model calls."""
    failed: str
    followed: str
    """Response that another one continues."""
    conversation: str
    vector_store: str

    @property
    def url(self) -> str:
        """Base URL of the API."""
        return f"{self.origin}/v1"

    def respond(self, text: str, given: str, **fields: JSON) -> str:
        """Create a response with this text of the model, and return its id."""
        script(self.upstream, says(text))
        return created(self.url, given, **fields)


def says(text: str) -> Answer:
    return sse(chunk(text), chunk(finish="stop"), chunk(usage=USAGE))


def created(url: str, given: JSON, **fields: JSON) -> str:
    """Create a response and return its id."""
    reply = post(url, "/responses", {"model": "up/m", "input": given, **fields})
    assert reply.status == 200, reply.body
    response_id: str = reply.json["id"]
    return response_id


def script(upstream: Upstream, *answers: Answer) -> None:
    """Let the backend give these answers next."""
    upstream.forget()
    upstream.script(*answers)


@contextmanager
def open_scene(folder: Path) -> Iterator[Scene]:
    """Serve the scene until the block ends."""
    with Upstream() as upstream, Serving(folder / "state.db", backends(backend(upstream))) as server:
        url = server.url
        script(upstream, says(HOSTILE))
        hostile = created(url, HOSTILE, instructions=HOSTILE, metadata={"<b>team": HOSTILE[:100]})
        script(upstream, says(PARIS))
        followed = created(url, "How many people live in Paris?")
        script(upstream, says("Lyon has about half a million."))
        created(url, "And in Lyon?", previous_response_id=followed)
        store = post(url, "/vector_stores", {"name": "Handbook"}).json["id"]
        for text in ("Refunds take five working days.", "Parcels are sent on weekdays."):
            post(url, f"/vector_stores/{store}/files", {"file_id": uploaded(url, text)})
        script(upstream, asks("refunds"), says("Refunds take five working days."))
        tool = {"type": "file_search", "vector_store_ids": [store]}
        include = ["file_search_call.results"]
        tools = created(url, "How long does a refund take?", tools=[tool], include=include)
        items = [{"type": "message", "role": "user", "content": "Plan a week in Rome"}]
        body: JSON = {"items": items, "metadata": {"team": "travel"}}
        conversation = post(url, "/conversations", body).json["id"]
        script(upstream, says("Begin with the Forum."))
        created(url, "Where do we begin?", conversation=conversation)
        script(upstream, says("unused"))
        call(url, "POST", "/responses", {"model": "up/m", "input": "x", "temperature": 9})
        background = created(url, "Summarize the report", background=True)
        get(url, f"/responses/{background}?stream=true")
        script(upstream, sse(chunk("Half a sen"), done=False))
        failed = post(url, "/responses", {"model": "up/m", "input": "Break off", "stream": True}).last["id"]
        origin = url.removesuffix("/v1")
        yield Scene(origin, upstream, hostile, tools, failed, followed, conversation, store)

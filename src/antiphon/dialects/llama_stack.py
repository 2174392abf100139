"""llama-stack (OGX): where its servers differ from api.openai.com, and which clients expect it.

`DIFFERENCES` has two eras: servers of 2025, and OGX since 2026. Everything else is as at api.openai.com for
every client, such as the error bodies.
"""

import re
from collections.abc import Mapping
from operator import methodcaller
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from antiphon.engine.behavior import Behavior
from antiphon.wire.json import JSONObject

Era = Literal["llama-stack-2025", "llama-stack"]
"""Values of the setting `dialect` for llama-stack's servers of 2025 and of 2026."""
_2025: tuple[Era, ...] = ("llama-stack-2025",)
_2026: tuple[Era, ...] = ("llama-stack",)
_BOTH: tuple[Era, ...] = get_args(Era)


class Dialect(Behavior, frozen=True, kw_only=True):
    """The behavior of a dialect, here and at the edge of the server; the defaults are OpenAI's."""

    names_response: bool = False
    """Whether the events of items and of content parts have a `response_id`."""
    dots_argument_events: bool = False
    """Whether the events with the arguments of MCP calls are `response.mcp_call.arguments.*`."""
    default_approval: Literal["always", "never"] = "always"
    """The `require_approval` of MCP servers that have none."""
    ends_with_done: bool = True
    """Whether `data: [DONE]` ends streams."""
    registers_models: bool = False
    """Whether `POST /v1/models` registers models, and lists have llama-stack's keys and registered models."""
    describes_resource: bool = False
    """Whether a single model has llama-stack's keys."""
    confirms_deleted_item: bool = False
    """Whether the response to a deletion from a conversation is about the item."""


class Difference(Struct, frozen=True):
    """One difference between llama-stack and api.openai.com."""

    what: str
    """llama-stack's side of it."""
    reason: str
    """The reason to follow llama-stack for its clients."""
    eras: tuple[Era, ...]
    """The eras that have it."""
    changes: JSONObject
    """The fields of `Dialect` that express it."""


DIFFERENCES = (
    Difference(
        "`search_context_size` of web search is ignored",
        "The model always received all results, and the recording of its answer contains them.",
        _BOTH,
        {"uses_search_context_size": False},
    ),
    Difference(
        "The events with the arguments of an MCP call have another name",
        "Its clients have a class for each of these events, and none for OpenAI's; its tests wait for them.",
        _BOTH,
        {"dots_argument_events": True},
    ),
    Difference(
        "An MCP server without `require_approval` needs none",
        "Its clients expect the result of the call, and handle no request for approval.",
        _BOTH,
        {"default_approval": "never"},
    ),
    Difference(
        "Each response with an MCP server begins with the list of its tools",
        "Its clients find the approved call after the list.",
        _BOTH,
        {"repeats_tool_lists": True},
    ),
    Difference(
        "`headers` of an MCP server may contain `Authorization`",
        "In 2025 that was the only way to pass a token; OGX refuses it, as api.openai.com does.",
        _2025,
        {"accepts_authorization_header": True},
    ),
    Difference(
        "`embedding_dimension` of a vector store describes its vectors",
        "The embedding model never received it, so recorded embeddings have no `dimensions`.",
        _BOTH,
        {"sends_embedding_dimension": False},
    ),
    Difference(
        "The model searches files with `knowledge_search`",
        "The recordings of 2025 contain this function and the wording of its results.",
        _2025,
        {"file_search_function": "knowledge_search"},
    ),
    Difference(
        "The model does not receive a user message that repeats the last one of the history",
        "Its clients send the question of the earlier turn again with the result of their function.",
        _BOTH,
        {"drops_repeated_messages": True},
    ),
    Difference(
        "`data: [DONE]` does not end streams",
        "`llama-stack-client` before 0.6.1 decodes it as JSON and fails.",
        _2025,
        {"ends_with_done": False},
    ),
    Difference(
        "Models are resources: lists have more keys, and `POST /v1/models` registers one",
        "The tests of 2025 read these keys before they begin, and register models that aren't in the list.",
        _2025,
        {"registers_models": True},
    ),
    Difference(
        "`GET /v1/models/{model}` returns the keys of a resource",
        "`llama-stack-client` up to 0.7 has no other ones in the type of this response.",
        _BOTH,
        {"describes_resource": True},
    ),
    Difference(
        "The deletion of an item from a conversation returns the ID of the item",
        "Its clients compare it with the one that they have deleted.",
        _BOTH,
        {"confirms_deleted_item": True},
    ),
    Difference(
        "Web searches have the events of function arguments too",
        "The tests of OGX wait for them. The helper `responses.stream` of openai-python fails on them.",
        _2026,
        {"sends_search_arguments": True},
    ),
    Difference(
        "A call that `max_tool_calls` prevents leaves no item",
        "The tests of OGX count the items.",
        _2026,
        {"keeps_skipped_calls": False},
    ),
    Difference(
        "The events of items and of content parts name their response",
        "`ogx-client` 1.1.3 tells events apart by their fields, and loses those without this one.",
        _BOTH,
        {"names_response": True},
    ),
)
"""The table of all differences."""


def _dialect(era: Era) -> Dialect:
    changes: JSONObject = {}
    for difference in DIFFERENCES:
        if era in difference.eras:
            changes |= difference.changes
    return msgspec.convert(changes, Dialect)


OPENAI = Dialect()
"""The dialect of api.openai.com."""
DIALECTS: dict[str, Dialect] = {"openai": OPENAI} | {era: _dialect(era) for era in _BOTH}
"""The dialects, by the value of the setting `dialect`."""

AGENTS = (b"OgxClient/", b"AsyncOgxClient/", b"LlamaStackClient/", b"AsyncLlamaStackClient/")
"""Starts of the user agents of llama-stack's clients."""
HEADERS = (b"x-ogx-", b"x-llamastack-")
"""Starts of the names of headers that only programs for llama-stack send."""
is_theirs = methodcaller("startswith", HEADERS)
"""Returns whether a header has such a name."""
_FIRST_OF_2026 = (0, 6, 1)
"""The first version of `llama-stack-client` whose streams may end with `[DONE]`."""
_AGENT = re.compile(rb"(?:Async)?LlamaStackClient/(?:[^ ]+ )?(.*)")
_VERSION = re.compile(rb"(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?")
_CLIENT_VERSION = b"x-llamastack-client-version"


def era_of(headers: Mapping[bytes, bytes]) -> Era:
    """Return the era of a client of llama-stack by its headers.

    The version of `llama-stack-client` decides, then the names of headers: tests of both eras also send
    llama-stack's headers with OpenAI's client.
    """
    agent = headers.get(b"user-agent", b"")
    client = _AGENT.match(agent)
    version = _VERSION.match(client[1] if client else headers.get(_CLIENT_VERSION, b""))
    if version is not None:
        return "llama-stack-2025" if _numbers(version) < _FIRST_OF_2026 else "llama-stack"
    is_ogx = b"OgxClient/" in agent or any(name.startswith(b"x-ogx-") for name in headers)
    return "llama-stack" if is_ogx else "llama-stack-2025"


def _numbers(version: re.Match[bytes]) -> tuple[int, ...]:
    return tuple(int(number or 0) for number in version.groups())

"""Recorded call, independent of the file format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.recording.calls.exact_hash import llama_stack_url, request_hash, tool_hash
from antiphon.wire.json import JSON, JSONObject

Kind = Literal["chat", "completion", "embedding", "moderation", "models", "tool", "other"]

REPLAYED: Sequence[Kind] = ("chat", "tool", "embedding", "completion", "moderation")
"""Kinds of calls that replay answers; an export keeps the others for llama-stack."""

BACKEND = "backend"
CAPABILITIES = "capabilities"
"""Keys of an address's metadata: the backend's name, and its capability switches."""

USUAL_TYPES: Mapping[tuple[Kind, bool], str] = {
    ("chat", True): "openai.types.chat.chat_completion_chunk.ChatCompletionChunk",
    ("chat", False): "openai.types.chat.chat_completion.ChatCompletion",
    ("completion", True): "openai.types.completion.Completion",
    ("completion", False): "openai.types.completion.Completion",
    ("embedding", False): "openai.types.create_embedding_response.CreateEmbeddingResponse",
    ("models", False): "openai.types.model.Model",
    ("moderation", False): "openai.types.moderation_create_response.ModerationCreateResponse",
    ("tool", False): "ogx_api.tools.ToolInvocationResult",
}
"""Python classes that llama-stack records, by kind of call and by whether it was streamed."""


class RecordedError(Struct, omit_defaults=True):
    """Error of a recorded call."""

    message: str = ""
    status_code: int | None = None
    body: JSON = None
    """The error object of the backend's answer."""
    category: str = ""
    """llama-stack's category of the client library's exception."""
    provider: str = ""
    """llama-stack's provider of the client library."""
    type: str = ""
    """llama-stack's name of the exception, or our error class for an error without an HTTP answer."""
    retry_after: str = ""
    """The `Retry-After` header of the backend's answer."""


class Address(Struct, frozen=True, omit_defaults=True):
    """Address of a call: the URL of a model, or the provider and name of a tool."""

    method: str = "POST"
    url: str = "https://api.openai.com/v1/chat/completions"
    """The URL; our own calls have that of api.openai.com, whatever their backend."""
    endpoint: str = "/v1/chat/completions"
    provider: str = ""
    """The provider of a tool, or the label of an MCP server."""
    tool_name: str = ""
    metadata: Mapping[str, JSON] = {}
    """llama-stack's library versions, or our backend and its capability switches."""


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """One model or tool call with its outcome."""

    kind: Kind
    request: JSONObject
    """The body of the request; the arguments of a tool call."""
    scope: str = DEFAULT_SCOPE
    streamed: bool = False
    parts: Sequence[Raw] = ()
    """JSON texts: the chunks of a stream, the models of a list, or one reply. Those before an `error` too."""
    error: RecordedError | None = None
    gaps: tuple[int, ...] = ()
    """Milliseconds before each part; empty if unknown."""
    address: Address = field(default=Address(), repr=False)
    type_name: str = ""
    """The Python class that llama-stack recorded, if unusual. It is text and never imported."""
    name: str = ""
    """The file's path below its directory, with `/`; in a file of several calls, `#` and a number follow."""
    hash_name: str = ""
    """The file's name in llama-stack, also after an import; empty for our own calls."""

    def payloads(self) -> list[bytes]:
        """Return the parts, each as one line of JSON.

        Keys, numbers and their order are as recorded. Invalid JSON is returned as it is.
        """
        return [_on_one_line(bytes(part)) for part in self.parts]

    @cached_property
    def canonical(self) -> JSONObject:
        """The canonical request of a chat.

        RecursionError if the request is nested too deeply.
        """
        return canonical_request(self.request)

    @cached_property
    def key(self) -> str:
        """The canonical key of a chat; empty for other kinds.

        RecursionError if the request is nested too deeply.
        """
        return canonical_key(self.canonical) if self.kind == "chat" else ""

    @cached_property
    def exact_hash(self) -> str | None:
        """llama-stack's hash; None without a valid URL, or if nested too deeply."""
        try:
            if self.kind == "tool":
                return tool_hash(self.address.provider, self.address.tool_name, self.request)
            test_id = None if self.scope == DEFAULT_SCOPE else self.scope
            return request_hash(self.address.method, self.hashed_url, self.request, test_id)
        except (ValueError, RecursionError):
            return None

    @property
    def hashed_url(self) -> str:
        """The URL in llama-stack's files and hash."""
        return llama_stack_url(self.address.url)

    @property
    def model(self) -> str | None:
        """The model of the request; None without one."""
        name = self.request.get("model")
        return name if isinstance(name, str) else None

    @property
    def backend(self) -> str | None:
        """The name of the backend; None if it isn't recorded."""
        name = self.address.metadata.get(BACKEND)
        return name if isinstance(name, str) else None

    @property
    def file(self) -> str:
        """The path of the call's file."""
        file, _, number = self.name.rpartition("#")
        return file if number.isdecimal() else self.name

    @property
    def number(self) -> int | None:
        """The call's number in its file; None in a file of one call."""
        number = self.name.removeprefix(self.file)[1:]
        return int(number) if number else None

    @property
    def named_by_hash(self) -> bool:
        """Whether the call is llama-stack's, an alternative that can answer repeatedly."""
        return bool(self.hash_name)

    @cached_property
    def stale(self) -> bool:
        """Whether the file's name isn't the hash of its content: llama-stack misses it."""
        return self.named_by_hash and (self.exact_hash is None or self.exact_hash not in self.hash_name)


def _on_one_line(text: bytes) -> bytes:
    try:
        return msgspec.json.format(text, indent=-1)
    except msgspec.DecodeError:
        return text

"""One recorded call, whatever the format of the file that holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.recording.calls.exact_hash import request_hash, tool_hash
from antiphon.wire.json import JSON, JSONObject

Kind = Literal["chat", "completion", "embedding", "moderation", "models", "tool", "other"]

REPLAYED: Sequence[Kind] = ("chat", "tool", "embedding", "completion", "moderation")
"""The kinds of calls that replay answers; the others are kept for llama-stack."""

BACKEND = "backend"
CAPABILITIES = "capabilities"
"""Keys of a recorded address's metadata: the backend's name, and its capability switches."""

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
"""The classes that llama-stack's recorder notes for a kind of call, streamed or not."""


class RecordedError(Struct, omit_defaults=True):
    """What the call raised. `body` is the error object of the backend's answer.

    `category`, `provider` and `type` are llama-stack's words for the client library's exception; we keep the
    name of our own error as the `type` where the backend answered with no HTTP error, and its `Retry-After`.
    """

    message: str = ""
    status_code: int | None = None
    body: JSON = None
    category: str = ""
    provider: str = ""
    type: str = ""
    retry_after: str = ""


class Address(Struct, frozen=True, omit_defaults=True):
    """Where a call went: a model's URL, or a tool.

    Of the URL only the path counts in llama-stack's hash; the default is what its client for OpenAI asks.
    A tool has a provider (or the label of an MCP server) and a name instead. `metadata` is llama-stack's
    note on the versions of its libraries, and ours on the backend.
    """

    method: str = "POST"
    url: str = "https://api.openai.com/v1/v1/chat/completions"
    endpoint: str = "/v1/chat/completions"
    provider: str = ""
    tool_name: str = ""
    metadata: Mapping[str, JSON] = {}


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """One recorded call.

    `request` is the body that was sent; of a tool call, its arguments. `parts` are the recorded values as
    JSON texts: the chunks of a stream, the models of a list, or the one reply. A call that failed has an
    `error`, and the parts that came before it. `gaps` are the milliseconds before each part; empty when they
    are not known. `name` is the file's path below its directory, with `/`, and the call's number when the
    file holds several. `type_name` is the Python class that llama-stack noted, if it is not the usual one; it
    is text and never looked up. `hash_name` is the file's name at llama-stack, also after an import.
    """

    kind: Kind
    request: JSONObject
    scope: str = DEFAULT_SCOPE
    streamed: bool = False
    parts: Sequence[Raw] = ()
    error: RecordedError | None = None
    gaps: tuple[int, ...] = ()
    address: Address = field(default=Address(), repr=False)
    type_name: str = ""
    name: str = ""
    hash_name: str = ""

    def payloads(self) -> list[bytes]:
        """Returns the parts on one line each, with keys, numbers and their order as recorded.

        What is no JSON is given as it is.
        """
        return [_on_one_line(bytes(part)) for part in self.parts]

    @cached_property
    def canonical(self) -> JSONObject:
        """The canonical request of a chat; raises RecursionError for a monstrous one."""
        return canonical_request(self.request)

    @cached_property
    def key(self) -> str:
        """The canonical key of a chat; empty for other kinds. Raises RecursionError for a monstrous one."""
        return canonical_key(self.canonical) if self.kind == "chat" else ""

    @cached_property
    def exact_hash(self) -> str | None:
        """llama-stack's hash of the call, or None when it has none: no address, or nested too deeply."""
        try:
            if self.kind == "tool":
                return tool_hash(self.address.provider, self.address.tool_name, self.request)
            test_id = None if self.scope == DEFAULT_SCOPE else self.scope
            return request_hash(self.address.method, self.address.url, self.request, test_id)
        except (ValueError, RecursionError):
            return None

    @property
    def backend(self) -> str | None:
        """The name of the backend that was called; None where it is not recorded."""
        name = self.address.metadata.get(BACKEND)
        return name if isinstance(name, str) else None

    @property
    def file(self) -> str:
        """The path of the file that holds the call."""
        file, _, number = self.name.rpartition("#")
        return file if number.isdecimal() else self.name

    @property
    def number(self) -> int | None:
        """The call's number in its file; None when the file holds this call alone."""
        number = self.name.removeprefix(self.file)[1:]
        return int(number) if number else None

    @property
    def named_by_hash(self) -> bool:
        """It is llama-stack's, which keeps one answer for a request and gives it as often as it is asked."""
        return bool(self.hash_name)

    @cached_property
    def stale(self) -> bool:
        """The file's name should be the hash of its content, and is not: llama-stack would miss it."""
        return self.named_by_hash and (self.exact_hash is None or self.exact_hash not in self.hash_name)


def _on_one_line(text: bytes) -> bytes:
    try:
        return msgspec.json.format(text, indent=-1)
    except msgspec.DecodeError:
        return text

"""Settings of one backend: types, presets and documentation."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from antiphon.settings.values import Seconds, Secret, describe

FOUND = "found"
"""Origin of the backends that discovery found."""

Kind = Literal["openai", "ollama", "vllm", "lmstudio", "llamacpp", "other"]
"""Kind of a backend, which presets its capability switches (`PRESETS`)."""


class Capabilities(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Capabilities of a backend; unsupported parameters are omitted or translated."""

    developer_role: Annotated[
        bool, Meta(description="Off: developer messages are sent with the role `system`.")
    ] = True
    max_completion_tokens: Annotated[bool, Meta(description="Off: the limit is sent as `max_tokens`.")] = True
    parallel_tool_calls: Annotated[bool, Meta(description="Off: `parallel_tool_calls` is omitted.")] = True
    named_tool_choice: Annotated[
        bool,
        Meta(description="Off: a choice of one function is sent as that function alone with `required`."),
    ] = True
    strict_tools: Annotated[bool, Meta(description="Off: `strict` is omitted from function tools.")] = True
    custom_tools: Annotated[
        bool,
        Meta(description="Off: custom tools are sent as functions with one string parameter, `input`."),
    ] = True
    structured_outputs: Annotated[
        bool,
        Meta(
            description="On: if a call of a custom tool is required, its grammar is sent as vLLM's "
            "`structured_outputs`, and the text of the response becomes the input of the call."
        ),
    ] = False
    stream_usage: Annotated[
        bool,
        Meta(
            description="Off: `stream_options` is omitted, and usage is reported only if the backend "
            "sends it anyway."
        ),
    ] = True
    always_stream: Annotated[
        bool,
        Meta(
            description="On: non-streaming requests are sent as streams too, because the backend otherwise "
            "finishes a reply after its client has disconnected."
        ),
    ] = False
    logprobs: Annotated[bool, Meta(description="Off: `logprobs` and `top_logprobs` are omitted.")] = True
    reasoning_effort: Annotated[bool, Meta(description="Off: `reasoning_effort` is omitted.")] = True
    verbosity: Annotated[bool, Meta(description="Off: `verbosity` is omitted.")] = True
    service_tier: Annotated[bool, Meta(description="Off: `service_tier` is omitted.")] = True
    prompt_cache: Annotated[
        bool,
        Meta(
            description="Off: `prompt_cache_key`, the other `prompt_cache_` options and "
            "`prompt_cache_breakpoint` are omitted."
        ),
    ] = True
    safety_identifier: Annotated[
        bool, Meta(description="Off: `safety_identifier` and `user` are omitted.")
    ] = True
    images: Annotated[
        bool, Meta(description="Off: images in outputs of tools are sent as the text `[image]`.")
    ] = True
    reasoning_input: Annotated[
        Literal["none", "reasoning", "reasoning_content", "reasoning_details"],
        Meta(description="Key of assistant messages in which earlier reasoning is sent."),
    ] = "none"
    think_tags: Annotated[
        bool,
        Meta(description="On: text from `<think>`, at the start of a response, to `</think>` is reasoning."),
    ] = True


_LOCAL = Capabilities(
    developer_role=False,
    max_completion_tokens=False,
    strict_tools=False,
    custom_tools=False,
    verbosity=False,
    service_tier=False,
    prompt_cache=False,
    safety_identifier=False,
)

PRESETS: dict[Kind, Capabilities] = {
    # OpenAI's models do not think in tags, so that a text that begins with a tag is about the tag.
    "openai": Capabilities(think_tags=False),
    # Ollama ignores unknown parameters, such as `max_completion_tokens`, and reads `reasoning` from
    # assistant messages: https://github.com/ollama/ollama/blob/main/openai/openai.go
    "ollama": msgspec.structs.replace(_LOCAL, reasoning_input="reasoning"),
    # vLLM passes the role `developer` to the model's chat template, which rarely supports it. It reads
    # `reasoning` and no longer `reasoning_content`: https://github.com/vllm-project/vllm/pull/33402
    "vllm": msgspec.structs.replace(
        _LOCAL, structured_outputs=True, max_completion_tokens=True, reasoning_input="reasoning"
    ),
    # LM Studio rejects a `tool_choice` that is an object, and roles other than user, assistant, system and
    # tool: https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/669
    "lmstudio": msgspec.structs.replace(_LOCAL, named_tool_choice=False),
    # llama.cpp supports `max_completion_tokens` only since https://github.com/ggml-org/llama.cpp/pull/19831,
    # and sends `reasoning_content` to chat templates since https://github.com/ggml-org/llama.cpp/pull/18994.
    # It reads a `tool_choice` that is an object as `auto`:
    # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/server-common.cpp
    # Its slot stays busy for the rest of an abandoned non-streaming reply: 20 s for 300 tokens, and 0.1 s of
    # an abandoned stream (llama.cpp b11549, one thread).
    "llamacpp": msgspec.structs.replace(
        _LOCAL,
        named_tool_choice=False,
        always_stream=True,
        reasoning_effort=False,
        reasoning_input="reasoning_content",
    ),
    "other": _LOCAL,
}
"""Capability switches of each kind of backend.

`other` enables only what any compatible server should accept.
"""


class BackendSettings(Struct, frozen=True, kw_only=True):
    """Chat backend from a table `[models.NAME]`, the environment or discovery."""

    name: str
    """Name of the backend and first segment of its model IDs."""
    base_url: Annotated[
        str, Meta(description="Base URL of the API, such as `https://api.openai.com/v1`. Required.")
    ]
    kind: Annotated[
        Kind,
        Meta(
            description="Kind of backend, which presets the capability switches. If not set: `openai` for "
            "OpenAI's and Azure's hosts, otherwise `other`, the most cautious."
        ),
    ] = "other"
    api_key: Annotated[Secret | None, Meta(description="API key for this backend.")] = None
    api_key_env: Annotated[
        str | None, Meta(description="Environment variable that contains the API key.")
    ] = None
    models: Annotated[
        tuple[str, ...] | None,
        Meta(description="Models of the backend. If not set: the models that its `/models` lists."),
    ] = None
    connect_timeout: Annotated[Seconds, Meta(description="Connect timeout in seconds.")] = 10.0
    first_byte_timeout: Annotated[
        Seconds,
        Meta(
            description="Timeout in seconds until a response begins, which includes prompt processing and "
            "the whole of a non-streaming response."
        ),
    ] = 600.0
    idle_timeout: Annotated[
        Seconds, Meta(description="Idle timeout in seconds, in the middle of a response.")
    ] = 120.0
    headers: Annotated[
        dict[str, Secret], Meta(description="Additional headers of each request to this backend.")
    ] = {}
    proxy: Annotated[
        Secret | None,
        Meta(
            description="HTTP proxy to this backend, such as `http://user:password@proxy.example:3128`; "
            "`none` for a direct connection. If not set: the proxy of the environment."
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Meta(
            description="PEM file with the certificate authorities to trust for this backend, instead of "
            "those of the system."
        ),
    ] = None
    client_cert: Annotated[
        str | None,
        Meta(description="PEM file with the client certificate for this backend, and its key."),
    ] = None
    client_key: Annotated[
        str | None,
        Meta(description="PEM file with the key of the client certificate, if `client_cert` lacks it."),
    ] = None
    verify: Annotated[
        bool,
        Meta(
            description="Whether to verify the backend's certificate. If off, others can read and change "
            "all traffic with the backend."
        ),
    ] = True
    http2: Annotated[
        bool, Meta(description="Whether to use HTTP/2, for a backend that doesn't support HTTP/1.1.")
    ] = False
    unix_socket: Annotated[
        str | None,
        Meta(
            description="Unix socket of this backend, to connect to instead of the host in `base_url`, such "
            "as `/run/llama.sock`."
        ),
    ] = None
    private_urls: Annotated[
        bool,
        Meta(
            description="Whether requests may contain URLs of private hosts, or with any scheme, which this "
            "backend then fetches."
        ),
    ] = False
    capabilities: Capabilities = Capabilities()
    """Capability switches: those of the kind, with those of the table applied."""
    origin: str = "configured"
    """Source of the backend, for the output at start-up."""


BACKEND_SETTINGS = describe(BackendSettings)
"""Keys of a table `[models.NAME]`."""
CAPABILITIES = describe(Capabilities)
"""Capability switches, which are further keys of the same table."""

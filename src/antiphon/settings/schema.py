"""Settings: what they are, their defaults and their documentation. `settings.py` finds their values."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from antiphon.settings.tools import ToolsSettings
from antiphon.settings.values import Seconds, Secret, describe, mask_url
from antiphon.wire.json import JSON

Kind = Literal["openai", "ollama", "vllm", "lmstudio", "llamacpp", "other"]
"""What a backend is. It sets the capability switches that are not configured (`PRESETS`)."""

Mode = Literal["live", "record", "replay", "record-missing"]
"""What becomes of model and tool calls: made, made and recorded, answered from recordings, or both."""


ReasoningEvents = Literal["openai", "open_responses"]
"""Whose names the events of raw reasoning have."""


class Capabilities(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backend understands. A parameter that it would refuse is left out or translated."""

    developer_role: Annotated[
        bool, Meta(description="Off: developer messages go out with the role `system`.")
    ] = True
    max_completion_tokens: Annotated[bool, Meta(description="Off: the limit goes out as `max_tokens`.")] = (
        True
    )
    parallel_tool_calls: Annotated[bool, Meta(description="Off: `parallel_tool_calls` is left out.")] = True
    named_tool_choice: Annotated[
        bool,
        Meta(description="Off: a choice of one function goes out as that function alone, and `required`."),
    ] = True
    strict_tools: Annotated[bool, Meta(description="Off: `strict` is left out of function tools.")] = True
    custom_tools: Annotated[
        bool,
        Meta(description="Off: custom tools go out as functions with one string, `input`."),
    ] = True
    structured_outputs: Annotated[
        bool,
        Meta(
            description="On: the grammar of a custom tool that has to be called goes out as vLLM's "
            "`structured_outputs`, and the text of the reply is the input."
        ),
    ] = False
    stream_usage: Annotated[
        bool,
        Meta(description="Off: `stream_options` is left out, and usage is known only if it is sent unasked."),
    ] = True
    logprobs: Annotated[bool, Meta(description="Off: `logprobs` and `top_logprobs` are left out.")] = True
    reasoning_effort: Annotated[bool, Meta(description="Off: `reasoning_effort` is left out.")] = True
    verbosity: Annotated[bool, Meta(description="Off: `verbosity` is left out.")] = True
    service_tier: Annotated[bool, Meta(description="Off: `service_tier` is left out.")] = True
    prompt_cache: Annotated[
        bool, Meta(description="Off: `prompt_cache_key` and the other `prompt_cache_` options are left out.")
    ] = True
    safety_identifier: Annotated[
        bool, Meta(description="Off: `safety_identifier` and `user` are left out.")
    ] = True
    reasoning_input: Annotated[
        Literal["none", "reasoning", "reasoning_content", "reasoning_details"],
        Meta(description="The key under which earlier reasoning is given back on assistant messages."),
    ] = "none"
    think_tags: Annotated[
        bool, Meta(description="On: text that begins with `<think>` is reasoning up to `</think>`.")
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
    # Its models do not think in tags: a text that begins with one is about the tag.
    "openai": Capabilities(think_tags=False),
    # Ollama skips parameters that it does not know, `max_completion_tokens` among them, and reads
    # `reasoning` on assistant messages (its openai/openai.go).
    "ollama": msgspec.structs.replace(_LOCAL, reasoning_input="reasoning"),
    # vLLM hands the role `developer` to the model's chat template, which seldom knows it; it reads
    # `reasoning`, and no longer `reasoning_content` (vllm-project/vllm pull request 33402).
    "vllm": msgspec.structs.replace(
        _LOCAL, structured_outputs=True, max_completion_tokens=True, reasoning_input="reasoning"
    ),
    # LM Studio refuses roles other than user, assistant, system and tool (its bug tracker, issue 669), and
    # a `tool_choice` that is no string.
    "lmstudio": msgspec.structs.replace(_LOCAL, named_tool_choice=False),
    # llama.cpp knows `max_completion_tokens` only since its pull request 19831, and gives
    # `reasoning_content` back to templates that keep it (pull request 18994).
    "llamacpp": msgspec.structs.replace(_LOCAL, reasoning_effort=False, reasoning_input="reasoning_content"),
    "other": _LOCAL,
}
"""The capability switches of each kind of backend; `other` is what any compatible server should accept."""


class BackendSettings(Struct, frozen=True, kw_only=True):
    """One chat backend: a table `[models.NAME]` of `antiphon.toml`, the environment's, or a found one."""

    name: str
    base_url: Annotated[
        str, Meta(description="Where the API begins, such as `https://api.openai.com/v1`. Required.")
    ]
    kind: Annotated[
        Kind,
        Meta(
            description="What the backend is; it sets the capability switches that are not given. "
            "Not given: `openai` for OpenAI's and Azure's hosts, else `other`, the most careful."
        ),
    ] = "other"
    api_key: Annotated[
        Secret | None, Meta(description="The key that is sent to this backend, and to no other.")
    ] = None
    api_key_env: Annotated[str | None, Meta(description="The environment variable that holds the key.")] = (
        None
    )
    models: Annotated[
        tuple[str, ...] | None,
        Meta(description="The models that the backend has. Not given: it is asked at `/models`."),
    ] = None
    connect_timeout: Annotated[Seconds, Meta(description="Seconds that connecting may take.")] = 10.0
    first_byte_timeout: Annotated[
        Seconds,
        Meta(
            description="Seconds until the answer begins: prompt processing, or all of a reply in one piece."
        ),
    ] = 600.0
    idle_timeout: Annotated[Seconds, Meta(description="Seconds of silence in the middle of an answer.")] = (
        120.0
    )
    capabilities: Capabilities = Capabilities()
    origin: str = "configured"
    """How the backend was found, in words for the start-up print."""


class Settings(Struct, frozen=True, kw_only=True):
    """All settings of the server, in effect."""

    host: Annotated[str, Meta(description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The port to listen on; 0 takes any free one.")] = (
        8321
    )
    database: Annotated[
        str,
        Meta(
            description="Where the state is: the path of an SQLite file, or a `postgresql://` URL. "
            "Default: `antiphon.db` in `$XDG_DATA_HOME/antiphon` or `~/.local/share/antiphon`."
        ),
    ]
    record: Annotated[
        str | None,
        Meta(
            description="Make model and tool calls and write them to this folder. Short for "
            '`recording = "record"` and `recordings`.'
        ),
    ] = None
    replay: Annotated[
        str | None,
        Meta(
            description="Answer model and tool calls from this folder, and call nothing. Short for "
            '`recording = "replay"` and `recordings`.'
        ),
    ] = None
    recording: Annotated[
        Mode,
        Meta(
            description="What becomes of model and tool calls: made, made and written, answered from "
            "recordings only, or made and written where no recording answers."
        ),
    ] = "live"
    recordings: Annotated[str | None, Meta(description="The folder of recordings.")] = None
    recording_header: Annotated[
        bool,
        Meta(
            description="Let requests choose a mode (`X-Antiphon-Recording`) and faults "
            "(`X-Antiphon-Fault`). Not for servers that strangers reach."
        ),
    ] = False
    repeat: Annotated[
        bool,
        Meta(
            description="Let the last of several recordings of one call answer again when all have been used."
        ),
    ] = False
    replay_speed: Annotated[
        float,
        Meta(
            ge=0,
            description="How fast recordings answer: 0 at once, 1 with the recorded gaps, 2 twice as fast.",
        ),
    ] = 0.0
    volatile: Annotated[
        tuple[str, ...],
        Meta(
            description="Patterns of text that differs from run to run, each `NAME=REGEX`; tried when "
            "nothing else answers. A variable has one a line."
        ),
    ] = ()
    never_record: Annotated[
        tuple[str, ...],
        Meta(
            description="Patterns of further secrets, each `NAME=REGEX`: no call that holds one is recorded."
        ),
    ] = ()
    hit_log: Annotated[
        str | None,
        Meta(
            description="A file to which each replayed call adds a line of JSON, for "
            "`antiphon recordings check`."
        ),
    ] = None
    freeze: Annotated[
        bool,
        Meta(
            description="Make ids and times a function of the scope and the order of its requests, so "
            "that two runs give the same bytes. The state is kept in memory unless `database` is set."
        ),
    ] = False
    fault: Annotated[
        str,
        Meta(description="Rules by which calls fail, such as `cut:3,model=gpt-4o,call=2`; separated by `;`."),
    ] = ""
    discover: Annotated[
        bool, Meta(description="Look for local model servers on their usual ports at start-up.")
    ] = True
    max_body_bytes: Annotated[
        int, Meta(gt=0, description="The largest request body that is accepted, in bytes.")
    ] = 100 * 1024 * 1024
    reasoning_events: Annotated[
        ReasoningEvents,
        Meta(
            description="Whose names the events of raw reasoning have: `response.reasoning_text.delta` as "
            "OpenAI's, or `response.reasoning.delta` as Open Responses has it."
        ),
    ] = "openai"
    log_format: Annotated[Literal["text", "json"], Meta(description="How the request log is written.")] = (
        "text"
    )
    log_level: Annotated[
        Literal["error", "warning", "info", "debug"],
        Meta(description="The least important messages that are logged; `warning` hides the request log."),
    ] = "info"
    allow_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Hosts that requests may name although they are private: `HOST`, `HOST:PORT`, "
            "`*.DOMAIN`, an address, or a network such as `10.0.0.0/8`. A variable has commas between them.",
            extra={"own_flag": "--allow-host", "table": "security", "separator": ","},
        ),
    ] = ()
    api_key: Annotated[
        Secret | None,
        Meta(
            description="A key that callers need, besides those of `antiphon keys`. Better given as a "
            "variable: others on the machine can read a flag.",
            extra={"table": "security"},
        ),
    ] = None
    seal_key: Annotated[
        Secret | None,
        Meta(
            description="What sealed boxes (`encrypted_content`) are sealed with: at least 32 characters "
            "that nobody can guess. Not given: a key is made once and kept in the database.",
            extra={"table": "security"},
        ),
    ] = None
    allow_anonymous: Annotated[
        bool,
        Meta(
            description="Serve callers without a key though `host` lets other machines in, or though they "
            "call this machine by another name. Not needed where there is a key.",
            extra={"table": "security"},
        ),
    ] = False
    requests_per_minute: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        Meta(
            description="How many requests each key may make in a minute, reading and deleting not counted.",
            extra={"table": "limits"},
        ),
    ] = None
    tokens_per_minute: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        Meta(
            description="How many tokens models may read and write for each key in a minute.",
            extra={"table": "limits"},
        ),
    ] = None
    concurrent_streams: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        Meta(
            description="How many streams each key may have open at the same time.",
            extra={"table": "limits"},
        ),
    ] = None
    tools: ToolsSettings = ToolsSettings()
    """The hosted tools."""
    models: dict[str, BackendSettings] = {}
    """The backends by name: the configured ones and the environment's."""
    origins: dict[str, str] = {}
    """Where each setting's value came from: a flag, a variable, a file or `default`."""
    notices: tuple[str, ...] = ()
    """What the operator should know about the settings, a line each."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.shown().items())
        return f"Settings({shown})"

    def shown(self) -> dict[str, JSON]:
        """Returns the documented settings' values, with secrets masked."""
        values = {setting.name: getattr(self, setting.name) for setting in SETTINGS}
        return values | {"database": mask_url(self.database)}


SETTINGS = describe(Settings)
"""The server's settings: each is a key in `antiphon.toml`, an environment variable and a flag of `serve`."""
BACKEND_SETTINGS = describe(BackendSettings)
"""The keys of a table `[models.NAME]`."""
CAPABILITIES = describe(Capabilities)
"""The capability switches, which stand in the same table."""

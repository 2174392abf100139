"""Settings of the server: types, defaults and documentation."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from antiphon.settings.backends import BackendSettings
from antiphon.settings.moderation import ModerationSettings
from antiphon.settings.retention import RetentionSettings
from antiphon.settings.tools import ToolsSettings
from antiphon.settings.values import Seconds, Secret, describe, mask_url
from antiphon.wire.json import JSON

Mode = Literal["live", "record", "replay", "record-missing"]
"""How model and tool calls are handled.

`live` makes them, `record` makes and records them, `replay` replays recordings, and `record-missing` replays
recordings and records the calls that have none.
"""
ReplayTools = Literal["recorded", "live"]
"""How replay mode handles tool calls."""


ReasoningEvents = Literal["openai", "open_responses"]
"""Event names for raw reasoning."""


LogContent = Literal["full", "metadata", "off"]
"""Content of the step log: everything, no texts, or nothing."""


class Settings(RetentionSettings, Struct, frozen=True, kw_only=True):
    """Settings of the server, in effect."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 picks a free one.")] = 8321
    workers: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Number of server processes on the port. They share the load, and a supervisor "
            "starts one again that has ended.",
        ),
    ] = 1
    database: Annotated[
        str,
        Meta(
            description="Database path or URL: an SQLite file or a `postgresql://` URL. "
            "Default: `antiphon.db` in `$XDG_DATA_HOME/antiphon` or `~/.local/share/antiphon`."
        ),
    ]
    sqlite_synchronous: Annotated[
        Literal["full", "normal"],
        Meta(
            description="When SQLite waits for the disk: with `full` at each commit, so that a power failure "
            "undoes no response that a client has received; with `normal` at intervals."
        ),
    ] = "normal"
    record: Annotated[
        str | None,
        Meta(
            description="Directory to which model and tool calls are recorded. Short for "
            '`recording = "record"` and `recordings`.'
        ),
    ] = None
    replay: Annotated[
        str | None,
        Meta(
            description="Directory from which model and tool calls are replayed, without any real call. "
            'Short for `recording = "replay"` and `recordings`.'
        ),
    ] = None
    replay_tools: Annotated[
        ReplayTools,
        Meta(
            description="How tool calls are handled in replay mode: `recorded` replays them; `live` makes "
            "them, except for web searches with a recording."
        ),
    ] = "recorded"
    recording: Annotated[
        Mode,
        Meta(
            description="How model and tool calls are handled: made; made and recorded; replayed from "
            "recordings; or replayed, and recorded where a recording is missing."
        ),
    ] = "live"
    recordings: Annotated[str | None, Meta(description="Directory of recordings.")] = None
    recording_header: Annotated[
        bool,
        Meta(
            description="Whether requests may choose a mode (`X-Antiphon-Recording`) and faults "
            "(`X-Antiphon-Fault`). Not for servers that untrusted clients can reach."
        ),
    ] = False
    repeat: Annotated[
        bool,
        Meta(
            description="Whether the last of several recordings of one call is replayed again after all have "
            "been used."
        ),
    ] = False
    replay_failures: Annotated[
        bool,
        Meta(
            description="Whether failures of recorded web searches are replayed. Otherwise, these searches "
            "count as not recorded."
        ),
    ] = False
    replay_speed: Annotated[
        float,
        Meta(
            ge=0,
            description="Speed of replay: 0 without delays, 1 with the recorded delays, 2 twice as fast.",
        ),
    ] = 0.0
    volatile: Annotated[
        tuple[str, ...],
        Meta(
            description="Patterns of text that differs between runs, each `NAME=REGEX`; used when no "
            "recording matches otherwise. In the variable, one per line."
        ),
    ] = ()
    never_record: Annotated[
        tuple[str, ...],
        Meta(
            description="Patterns of additional secrets, each `NAME=REGEX`; calls that contain one are not "
            "recorded. In the variable, one per line."
        ),
    ] = ()
    hit_log: Annotated[
        str | None,
        Meta(
            description="File to which each replayed call appends a line of JSON, for "
            "`antiphon recordings check`."
        ),
    ] = None
    freeze: Annotated[
        bool,
        Meta(
            description="Whether IDs and times depend only on the scope and the order of its requests, so "
            "that two runs return the same bytes. State is kept in memory unless `database` is set."
        ),
    ] = False
    fault: Annotated[
        str,
        Meta(description="Rules for fault injection, such as `cut:3,model=gpt-4o,call=2`, separated by `;`."),
    ] = ""
    discover: Annotated[
        bool, Meta(description="Discovery of local model servers on their usual ports at start-up.")
    ] = True
    max_body_bytes: Annotated[
        int, Meta(gt=0, description="Maximum size of a JSON body in bytes; uploads have their own limit.")
    ] = 32 * 1024 * 1024
    max_items: Annotated[
        int,
        Meta(
            gt=0,
            description="Maximum length of `input`, `messages`, `tools` and other arrays in a request, if "
            "OpenAI's API has no smaller one.",
        ),
    ] = 2048
    strict: Annotated[
        bool,
        Meta(
            description="Whether requests with unknown fields are rejected. Otherwise, the server ignores "
            "these fields and names them in the header `X-Antiphon-Ignored`."
        ),
    ] = False
    send_timeout: Annotated[
        Seconds,
        Meta(description="Timeout in seconds for a client that reads nothing of its response."),
    ] = 60.0
    reasoning_events: Annotated[
        ReasoningEvents,
        Meta(
            description="Event names for raw reasoning: `response.reasoning_text.delta` as in OpenAI's API, "
            "or `response.reasoning.delta` as in Open Responses."
        ),
    ] = "openai"
    resumable_streams: Annotated[
        bool,
        Meta(
            description="Whether clients can resume the streams of stored responses, as those of background "
            "responses. The server then stores all events of these streams."
        ),
    ] = False
    resume_grace: Annotated[
        Seconds,
        Meta(
            description="Seconds for which a response with a resumable stream continues after its client has "
            "disconnected. They begin again while a client follows the stream."
        ),
    ] = 30.0
    dialect: Annotated[
        Literal["auto", "openai", "llama-stack", "llama-stack-2025"],
        Meta(
            description="Dialect of the API for all clients, or `auto` for the one that each client expects."
        ),
    ] = "auto"
    log_format: Annotated[Literal["text", "json"], Meta(description="Format of the request log.")] = "text"
    log_level: Annotated[
        Literal["error", "warning", "info", "debug"],
        Meta(description="Lowest level of log messages; `warning` hides the request log."),
    ] = "info"
    log_content: Annotated[
        LogContent,
        Meta(
            description="Content of the step log of stored responses: `full` for all details of model and "
            "tool calls, and for `antiphon logs -q`; `metadata` for no texts; `off` for nothing."
        ),
    ] = "full"
    log_unstored: Annotated[
        bool,
        Meta(description="Whether the step log keeps metadata of responses with `store: false`, too."),
    ] = False
    allow_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Private hosts that URLs in requests may use: `HOST`, `HOST:PORT`, `*.DOMAIN`, an "
            "address, or a network such as `10.0.0.0/8`. In the variable, separated by commas.",
            extra={"own_flag": "--allow-host", "table": "security", "separator": ","},
        ),
    ] = ()
    api_key: Annotated[
        Secret | None,
        Meta(
            description="API key that clients need, in addition to the keys of `antiphon keys`. Prefer the "
            "variable, because other users of the machine can read flags.",
            extra={"table": "security"},
        ),
    ] = None
    seal_key: Annotated[
        Secret | None,
        Meta(
            description="Key for encrypted content (`encrypted_content`): at least 32 characters that "
            "cannot be guessed. If not set: a key is created once and stored in the database.",
            extra={"table": "security"},
        ),
    ] = None
    allow_anonymous: Annotated[
        bool,
        Meta(
            description="Anonymous access for clients on other machines, or with an unusual `Host` header. "
            "Not needed if there is an API key.",
            extra={"table": "security"},
        ),
    ] = False
    metrics: Annotated[
        bool,
        Meta(
            description="Metrics for Prometheus at `/metrics`.",
            extra={"table": "telemetry"},
        ),
    ] = False
    trace_content: Annotated[
        bool,
        Meta(
            description="Whether traces contain messages, arguments and results. Traces are on if a variable "
            "such as `OTEL_EXPORTER_OTLP_ENDPOINT` is set.",
            extra={"table": "telemetry"},
        ),
    ] = False
    requests_per_minute: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        Meta(
            description="Maximum number of requests per minute and API key, without reads and deletions.",
            extra={"table": "limits"},
        ),
    ] = None
    tokens_per_minute: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        Meta(
            description="Maximum number of input and output tokens per minute and API key.",
            extra={"table": "limits"},
        ),
    ] = None
    concurrent_streams: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        Meta(
            description="Maximum number of concurrent streams per API key.",
            extra={"table": "limits"},
        ),
    ] = None
    background_runs: Annotated[
        int,
        Meta(
            gt=0,
            description="Maximum number of background responses that this server runs at the same time.",
            extra={"table": "limits"},
        ),
    ] = 32
    background_runs_per_owner: Annotated[
        int,
        Meta(
            gt=0,
            description="Maximum number of background responses of one owner that run at the same time, on "
            "all servers of the database.",
            extra={"table": "limits"},
        ),
    ] = 16
    background_runs_per_backend: Annotated[
        int,
        Meta(
            gt=0,
            description="Maximum number of background responses that use one backend at the same time, on "
            "all servers of the database.",
            extra={"table": "limits"},
        ),
    ] = 64
    batch_lines: Annotated[
        int,
        Meta(
            gt=0,
            description="Maximum number of lines of batches that this server runs at the same time.",
            extra={"table": "limits"},
        ),
    ] = 8
    batch_lines_per_owner: Annotated[
        int,
        Meta(
            gt=0,
            description="Maximum number of lines of one owner's batches that this server runs at the same "
            "time.",
            extra={"table": "limits"},
        ),
    ] = 8
    batch_lines_per_backend: Annotated[
        int,
        Meta(
            gt=0,
            description="Maximum number of lines of batches for one backend at a time, on this server.",
            extra={"table": "limits"},
        ),
    ] = 8
    viewer: Annotated[
        bool,
        Meta(
            description="Pages for people, below the path `/viewer`.",
            extra={"own_key": "enabled", "table": "viewer"},
        ),
    ] = True
    tools: ToolsSettings = ToolsSettings()
    """Settings of the hosted tools."""
    moderation: ModerationSettings = ModerationSettings()
    """Settings of moderation."""
    models: dict[str, BackendSettings] = {}
    """Backends by name, from the files and the environment."""
    origins: dict[str, str] = {}
    """Source of each setting's value: a flag, a variable, a file or `default`."""
    notices: tuple[str, ...] = ()
    """Notices for the operator about the settings, one line each."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.shown().items())
        return f"Settings({shown})"

    def shown(self) -> dict[str, JSON]:
        """Return the values of the documented settings, with secrets masked."""
        values = {setting.name: getattr(self, setting.name) for setting in SETTINGS}
        return values | {"database": mask_url(self.database)}


SETTINGS = tuple(
    sorted(describe(Settings), key=lambda each: each.name in RetentionSettings.__struct_fields__)
)
"""Settings of the server, each with a key, an environment variable and a flag."""

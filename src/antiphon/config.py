"""Settings: what they are, and where they come from (flags, environment, `antiphon.toml`, defaults)."""

from typing import Literal

from msgspec import Struct


class Capabilities(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backend understands. A parameter that it would refuse is left out or translated."""

    developer_role: bool = True
    """Off: developer messages go out with the role `system`."""
    max_completion_tokens: bool = True
    """Off: the limit goes out as `max_tokens`."""
    parallel_tool_calls: bool = True
    strict_tools: bool = True
    """Off: `strict` is left out of function tools."""
    stream_usage: bool = True
    """Off: `stream_options` is left out, and usage is known only if the backend sends it unasked."""
    logprobs: bool = True
    reasoning_effort: bool = True
    verbosity: bool = True
    service_tier: bool = True
    prompt_cache: bool = True
    """`prompt_cache_key` and `prompt_cache_retention`."""
    safety_identifier: bool = True
    """`safety_identifier` and `user`."""
    reasoning_input: Literal["none", "reasoning", "reasoning_content"] = "none"
    """The key under which earlier reasoning is given back on assistant messages."""
    think_tags: bool = True
    """Text that begins with `<think>` is reasoning up to `</think>`."""

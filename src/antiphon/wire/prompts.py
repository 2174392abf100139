"""Stored prompts, in llama-stack's shape because OpenAI's API has no such routes."""

from typing import Annotated

from msgspec import Meta, Struct


class Prompt(Struct, kw_only=True):
    """Version of a prompt, whose text contains variables as `{{ name }}`."""

    prompt_id: str
    prompt: str
    version: int
    variables: list[str]
    is_default: bool


class PromptList(Struct, kw_only=True):
    """List of prompts or of the versions of one prompt."""

    data: list[Prompt]


Text = Annotated[str, Meta(min_length=1, max_length=1_048_576)]
"""Text of a prompt."""
Version = Annotated[int, Meta(ge=1, le=2_147_483_647)]
"""Version of a prompt, counted from 1."""


class CreatePrompt(Struct, kw_only=True):
    """Request that creates a prompt."""

    prompt: Text
    variables: list[str] | None = None
    """Names of the variables; None takes them from the text."""


class UpdatePrompt(Struct, kw_only=True):
    """Request that creates a new version of a prompt."""

    prompt: Text
    version: Version
    """Latest version so far; an outdated one is rejected to prevent lost updates."""
    variables: list[str] | None = None
    set_as_default: bool = True


class SetDefaultVersion(Struct, kw_only=True):
    """Request that makes a version the default."""

    version: Version

"""Stored prompts, in llama-stack's shape: OpenAI's description has no such route (`wire.md` 1)."""

from typing import Annotated

from msgspec import Meta, Struct


class Prompt(Struct, kw_only=True):
    """One version of a prompt. `{{ name }}` in its text stands for the variable `name`."""

    prompt_id: str
    prompt: str
    version: int
    variables: list[str]
    is_default: bool


class PromptList(Struct, kw_only=True):
    data: list[Prompt]


Text = Annotated[str, Meta(min_length=1, max_length=1_048_576)]
Version = Annotated[int, Meta(ge=1, le=2_147_483_647)]


class CreatePrompt(Struct, kw_only=True):
    """Without `variables` they are those that the text names."""

    prompt: Text
    variables: list[str] | None = None


class UpdatePrompt(Struct, kw_only=True):
    """A new version; `version` is the latest one so far, so that no change of somebody else is lost."""

    prompt: Text
    version: Version
    variables: list[str] | None = None
    set_as_default: bool = True


class SetDefaultVersion(Struct, kw_only=True):
    version: Version

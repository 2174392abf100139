"""Settings of the output that a context can change: the effort of reasoning, and the format of text."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from antiphon.wire.json import JSONObject

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""Effort of reasoning."""


class TextFormat(Struct, tag="text"):
    """Plain text as the output format."""


class JsonObjectFormat(Struct, tag="json_object"):
    """Any JSON object as the output format."""


class JsonSchemaFormat(Struct, tag="json_schema", kw_only=True):
    """JSON that conforms to a schema as the output format."""

    description: str | None | UnsetType = UNSET
    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    schema: JSONObject
    strict: bool | None | UnsetType = UNSET


class ReasoningUpdate(Struct, kw_only=True):
    """New effort of reasoning; null returns to that of each request."""

    effort: Effort | None | UnsetType = UNSET


class TextUpdate(Struct, kw_only=True):
    """New format of the output text."""

    format: TextFormat | JsonSchemaFormat


class ConfigurationUpdate(Struct, tag="configuration_update", kw_only=True):
    """Settings for the responses after this item, in place of those in their requests.

    Each stays in effect until a later update replaces it.
    """

    id: str | None | UnsetType = UNSET
    reasoning: ReasoningUpdate | None | UnsetType = UNSET
    text: TextUpdate | None | UnsetType = UNSET

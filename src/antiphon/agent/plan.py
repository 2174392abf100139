"""Settings of an agent, and the requests that follow from them."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Generic, is_typeddict

from antiphon.agent.errors import WrongAgent
from antiphon.agent.functions.schemas import close, schema_of
from antiphon.agent.functions.tools import FunctionTool, Tool, split
from antiphon.wire.json import JSON, JSONObject

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=None)
else:
    from typing import TypeVar

    T = TypeVar("T")

_OWN = ("input", "stream", "conversation", "previous_response_id", "model", "instructions", "tools")


@dataclass(frozen=True, eq=False, kw_only=True)
class AgentSettings(Generic[T]):
    """Settings that both kinds of agents have."""

    model: str
    """Model of every response."""
    instructions: str | None = None
    """System message of every response."""
    tools: Sequence[Tool] = ()
    """Functions with type hints, and definitions of tools that the server executes."""
    output_type: type[T] | None = None
    """Dataclass, TypedDict, msgspec Struct or pydantic model of the result; None for text."""
    request: Mapping[str, JSON] = field(default_factory=dict)
    """Further parameters of `responses.create`, such as `temperature` or `background`."""
    max_responses: int = 25
    """Number of responses in a turn, after which it fails."""
    tool_timeout: float | None = 300
    """Seconds for each function call; None waits forever."""

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            WrongAgent: A setting is wrong.
        """
        for name in _OWN:
            if name in self.request:
                raise WrongAgent(f"The agent sets {name!r} itself. Remove it from 'request'.")
        _ = self.body

    @cached_property
    def functions(self) -> Mapping[str, FunctionTool]:
        """Functions by name."""
        return self._tools[1]

    @cached_property
    def body(self) -> JSONObject:
        """Parameters of every request."""
        body: JSONObject = {**self.request, "model": self.model, "stream": True}
        if self.instructions is not None:
            body["instructions"] = self.instructions
        if definitions := self._tools[0]:
            body["tools"] = definitions
        if self.output_type is not None:
            body["text"] = {**body.get("text", {}), "format": _format(self.output_type)}
        return body

    @cached_property
    def _tools(self) -> tuple[list[JSONObject], dict[str, FunctionTool]]:
        return split(self.tools)


def _format(output_type: type[object]) -> JSONObject:
    """Return the format of the text for a type of result."""
    if not _is_object(output_type):
        raise WrongAgent(
            f"The output type {output_type!r} has no fields. Use a dataclass, a TypedDict, a msgspec Struct "
            "or a pydantic model."
        )
    try:
        schema = schema_of(output_type)
    except TypeError as error:
        raise WrongAgent(f"The output type has no JSON schema: {str(error).splitlines()[-1]}") from error
    strict = close(schema, require_all=True)
    return {"type": "json_schema", "name": output_type.__name__, "schema": schema, "strict": strict}


def _is_object(kind: type[object]) -> bool:
    is_record = dataclasses.is_dataclass(kind) or is_typeddict(kind) or hasattr(kind, "model_json_schema")
    return is_record or hasattr(kind, "__struct_fields__")

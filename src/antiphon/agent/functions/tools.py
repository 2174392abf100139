"""Functions as tools: their schemas, and the values of their arguments."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, get_type_hints

import msgspec

from antiphon.agent.errors import WrongAgent
from antiphon.agent.functions.schemas import close, decode, schema_of
from antiphon.wire.json import JSON, JSONObject

Function: TypeAlias = Callable[..., object]
Tool: TypeAlias = Function | Mapping[str, JSON]
"""Function, or the definition of a tool that the server executes, such as `{"type": "web_search"}`."""

_PLAIN = (str, int, float, bool, type(None))
_QUIET = {"warnings": False}
_CLIENT_TOOLS = ("function", "custom")


@dataclass(frozen=True)
class FunctionTool:
    """Function with its definition for the model."""

    function: Function
    name: str
    definition: JSONObject
    arguments: type[msgspec.Struct]
    """Type of the arguments, with a field for each parameter."""

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        call = getattr(self.function, "__call__", None)  # noqa: B004 - an object can have an async `__call__`
        return inspect.iscoroutinefunction(self.function) or inspect.iscoroutinefunction(call)

    def decode(self, arguments: str) -> dict[str, object]:
        """Return the values of a call's arguments.

        Text such as `"3"` is accepted for a number, because small models send it.

        Raises:
            msgspec.DecodeError: The arguments aren't JSON, or don't fit the parameters.
        """
        given = decode(arguments, self.arguments, strict=False)
        values = {name: getattr(given, name) for name in self.arguments.__struct_fields__}
        return {name: value for name, value in values.items() if value is not msgspec.UNSET}


def split(tools: Sequence[Tool]) -> tuple[list[JSONObject], dict[str, FunctionTool]]:
    """Return the definitions of all tools for the server, and the functions by name.

    Raises:
        WrongAgent: A tool can't be used.
    """
    definitions: list[JSONObject] = []
    functions: dict[str, FunctionTool] = {}
    for tool in tools:
        if isinstance(tool, Mapping):
            kind = tool.get("type")
            if kind in _CLIENT_TOOLS:
                raise WrongAgent(
                    f"A tool of type {kind!r} has no code to run. Pass the Python function itself."
                )
            definitions.append(dict(tool))
            continue
        made = function_tool(tool)
        if made.name in functions:
            raise WrongAgent(f"Two tools have the name {made.name!r}. Rename one of the functions.")
        functions[made.name] = made
        definitions.append(made.definition)
    return definitions, functions


def function_tool(function: Function) -> FunctionTool:
    """Return a function as a tool.

    Raises:
        WrongAgent: The function has parameters that the model can't fill.
    """
    name = getattr(function, "__name__", type(function).__name__)
    description, about = _documentation(inspect.getdoc(function) or "")
    try:
        arguments = _arguments(function, name)
        schema = schema_of(arguments)
    except (TypeError, NameError) as error:
        reason = str(error).splitlines()[-1]
        raise WrongAgent(f"The types of tool {name!r} have no JSON schema: {reason}") from error
    schema.pop("title", None)
    defaults = inspect.signature(function).parameters
    definitions = schema.get("$defs", {})
    for parameter, described in schema["properties"].items():
        default = defaults[parameter].default
        if default is not inspect.Parameter.empty and isinstance(default, _PLAIN):
            described["default"] = default
        if parameter in about:
            # Strict mode allows no description beside a reference.
            described.update(definitions.get(str(described.pop("$ref", "")).rpartition("/")[2], {}))
            described["description"] = about[parameter]
    definition = {"type": "function", "name": name, "parameters": schema, "strict": close(schema)}
    if description:
        definition["description"] = description
    return FunctionTool(function, name, definition, arguments)


def _arguments(function: Function, name: str) -> type[msgspec.Struct]:
    """Return a type with a field for each parameter of a function."""
    hints = get_type_hints(
        function if inspect.isroutine(function) else type(function).__call__, include_extras=True
    )
    fields: list[tuple[str, object] | tuple[str, object, object]] = []
    for parameter in inspect.signature(function).parameters.values():
        where = f"parameter {parameter.name!r} of tool {name!r}"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise WrongAgent(f"The {where} has no name for the model. Use plain parameters.")
        if parameter.name not in hints:
            raise WrongAgent(f"The {where} has no type. Add a type hint.")
        hint = hints[parameter.name]
        if parameter.default is parameter.empty:
            fields.append((parameter.name, hint))
        else:
            fields.append((parameter.name, hint | msgspec.UnsetType, msgspec.UNSET))
    made: type[msgspec.Struct] = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
    return made


def _documentation(text: str) -> tuple[str, dict[str, str]]:
    """Return the description in a docstring, and the descriptions of parameters by name."""
    try:
        import griffe  # Here, because it takes longer to import than the rest of the package.
    except ImportError as error:
        raise WrongAgent("Functions need the package griffelib. Install 'antiphon[agent]'.") from error
    parsed = griffe.Docstring(text, lineno=1).parse(
        "auto", per_style_options={"google": _QUIET, "sphinx": _QUIET, "numpy": _QUIET}
    )
    description, about = "", {}
    for section in parsed:
        if isinstance(section, griffe.DocstringSectionText) and not description:
            description = section.value
        elif isinstance(section, griffe.DocstringSectionParameters):
            about = {each.name: " ".join(each.description.split()) for each in section.value}
    return description, about

"""Calls of tools that only other servers have, as short texts.

Clients bring these items along in a history. Chat models have no form for them.
"""

from antiphon.wire.items import (
    ApplyPatchCall,
    ApplyPatchCallOutput,
    ComputerCall,
    ComputerCallOutput,
    ImageGenerationCall,
    Item,
    LocalShellCall,
    LocalShellCallOutput,
    Message,
    Program,
    ProgramOutput,
    ShellCall,
    ShellCallOutput,
)
from antiphon.wire.json import JSON, JSONObject

_MOST = 1000
"""Characters of an item's content that the model receives."""


def as_message(item: Item) -> Message | None:
    """Return a foreign item as a message; None for items of other types.

    A call is a message of the model, which made it. An output is a message of the user, whose client sent it.
    """
    if (call := _call(item)) is not None:
        return Message(role="assistant", content=_bracketed(*call))
    if (output := _output(item)) is not None:
        return Message(role="user", content=_bracketed(*output))
    return None


def _call(item: Item) -> tuple[str, str] | None:
    """Return the kind of a call, and its content."""
    match item:
        case ImageGenerationCall():
            kind = "Image generation failed" if item.status == "failed" else "Generated image"
            return kind, item.revised_prompt or ""
        case ComputerCall():
            actions = item.actions or [item.action or {}]
            return "Computer", ", ".join(str(action.get("type")) for action in actions)
        case LocalShellCall():
            return "Shell", _joined(item.action.get("command"), " ")
        case ShellCall():
            return "Shell", _joined(item.action.get("commands"), "\n")
        case ApplyPatchCall():
            return "Patch", _joined([item.operation.get("type"), item.operation.get("path")], " ")
        case Program():
            return "Program", item.code
    return None


def _output(item: Item) -> tuple[str, str] | None:
    """Return the kind of an output, and its content."""
    match item:
        case ComputerCallOutput():
            return "Screenshot of the computer", ""
        case LocalShellCallOutput():
            return "Output of the shell", item.output
        case ShellCallOutput():
            return "Output of the shell", "\n".join(map(_of_shell, item.output))
        case ApplyPatchCallOutput():
            return "Output of the patch", f"{item.status} {item.output or ''}".rstrip()
        case ProgramOutput():
            return "Output of the program", item.result
    return None


def _of_shell(output: JSONObject) -> str:
    parts = [output.get("stdout"), output.get("stderr")]
    outcome = output.get("outcome")
    if isinstance(outcome, dict) and outcome.get("type") == "timeout":
        parts.append("timeout")
    elif isinstance(outcome, dict) and outcome.get("exit_code"):
        parts.append(f"exit code {outcome['exit_code']}")
    return "\n".join(str(part) for part in parts if part)


def _joined(values: JSON, separator: str) -> str:
    return separator.join(map(str, values)) if isinstance(values, list) else ""


def _bracketed(kind: str, content: str) -> str:
    if len(content) > _MOST:
        content = content[:_MOST] + "..."
    return f"[{kind}: {content}]" if content else f"[{kind}]"

"""Items of code interpreter calls: for the model, for the client, and the tool as responses show it."""

import json
from collections.abc import Container

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.kinds import CalledFunction, HostedKind
from antiphon.wire.items import CodeInterpreterCall
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import AutoContainer, CodeInterpreterTool

_OUTPUTS = "code_interpreter_call.outputs"
FILES = "files"
"""The type of an output that only the server has: the files that the code has written."""


class CodeInterpreterItems(HostedKind[CodeInterpreterCall]):
    """Calls of the code interpreter."""

    item = CodeInterpreterCall
    includes = (_OUTPUTS,)

    def function(self, item: CodeInterpreterCall) -> CalledFunction:
        """Return the call with its code."""
        arguments = json.dumps({"code": item.code or ""})
        return CalledFunction("code_interpreter", "code_interpreter", arguments)

    def output(self, item: CodeInterpreterCall) -> str:
        """Return the logs and the names of files, or a text for an item that does not hold them."""
        if not isinstance(item.outputs, list):
            return "[The output is not available.]"
        return "\n".join(filter(None, map(_text, item.outputs))) or "[The code printed nothing.]"

    def for_client(self, item: CodeInterpreterCall, include: Container[str]) -> CodeInterpreterCall:
        """Return the item without outputs, unless they are included."""
        if _OUTPUTS not in include or not isinstance(item.outputs, list):
            return msgspec.structs.replace(item, outputs=None)
        shown = [output for output in item.outputs if output.get("type") != FILES]
        return msgspec.structs.replace(item, outputs=shown)

    def has_failed(self, item: CodeInterpreterCall) -> bool:
        """Return whether the call has failed; an exception of the code is not a failure."""
        return item.status == "failed"


def echo(tool: CodeInterpreterTool) -> CodeInterpreterTool:
    """Return the tool without its memory limit, as api.openai.com does."""
    if not isinstance(tool.container, AutoContainer):
        return tool
    shown = msgspec.structs.replace(tool.container, memory_limit=UNSET)
    return msgspec.structs.replace(tool, container=shown)


def _text(output: JSONObject) -> str:
    if output.get("type") == "image":
        return "[The user sees this chart as an image.]"
    if output.get("type") != FILES:
        return str(output.get("logs", f"[{output.get('type')}]"))
    paths = written_files(output)
    if not paths:
        return ""
    name = paths[0].rpartition("/")[2]
    return (
        f"[The code wrote {', '.join(paths)}. To give a file to the user, write a link such as "
        f"[{name}](sandbox:{paths[0]}).]"
    )


def written_files(output: JSONObject) -> list[str]:
    """Return the paths of the files in an output, without those of charts."""
    value = output.get(FILES)
    files = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    described = [each for each in files if {"file_id", "path"} <= each.keys()]
    return [str(each["path"]) for each in described if f"{each['file_id']}.png" not in str(each["path"])]

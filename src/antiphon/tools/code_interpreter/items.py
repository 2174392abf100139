"""Items of code interpreter calls, which clients bring along from other servers."""

import json
from collections.abc import Container

import msgspec

from antiphon.engine.hosted.kinds import CalledFunction, HostedKind
from antiphon.wire.items import CodeInterpreterCall
from antiphon.wire.json import JSONObject

_OUTPUTS = "code_interpreter_call.outputs"


class CodeInterpreterItems(HostedKind[CodeInterpreterCall]):
    """Calls of the code interpreter."""

    item = CodeInterpreterCall
    includes = (_OUTPUTS,)

    def function(self, item: CodeInterpreterCall) -> CalledFunction:
        """Return the call with its code."""
        arguments = json.dumps({"code": item.code or ""})
        return CalledFunction("code_interpreter", "code_interpreter", arguments)

    def output(self, item: CodeInterpreterCall) -> str:
        """Return the logs, or a text for an item that does not hold them."""
        return _logs(item.outputs) if isinstance(item.outputs, list) else "[The output is not available.]"

    def for_client(self, item: CodeInterpreterCall, include: Container[str]) -> CodeInterpreterCall:
        """Return the item without outputs, unless they are included."""
        return item if _OUTPUTS in include else msgspec.structs.replace(item, outputs=None)

    def has_failed(self, item: CodeInterpreterCall) -> bool:
        """Return whether the code has failed."""
        return item.status == "failed"


def _logs(outputs: list[JSONObject]) -> str:
    return "\n".join(str(output.get("logs", f"[{output.get('type')}]")) for output in outputs)

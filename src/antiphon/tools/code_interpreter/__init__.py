"""Code interpreter as a hosted tool: Python in a sandbox."""

from antiphon.engine.hosted.kinds import register_echo, register_kind
from antiphon.tools.code_interpreter.items import CodeInterpreterItems, echo
from antiphon.tools.code_interpreter.tool import CodeInterpreter
from antiphon.tools.table import register
from antiphon.wire.tools import CodeInterpreterTool


def register_all() -> None:
    """Add this tool to the tables."""
    register_kind(CodeInterpreterItems())
    register_echo(CodeInterpreterTool, echo)
    register(CodeInterpreterTool, CodeInterpreter)

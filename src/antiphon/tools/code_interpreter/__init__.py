"""Code interpreter: items of its calls; no code runs here."""

from antiphon.engine.hosted.kinds import register_kind
from antiphon.tools.code_interpreter.items import CodeInterpreterItems


def register_all() -> None:
    """Add this tool to the tables."""
    register_kind(CodeInterpreterItems())

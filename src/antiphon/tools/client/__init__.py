"""Built-in tools that the client runs: their functions, items and events, one kind in each module."""

from antiphon.engine.client.kinds import register_client_kind
from antiphon.tools.client.apply_patch import ApplyPatch
from antiphon.tools.client.computer import Computer
from antiphon.tools.client.local_shell import LocalShell
from antiphon.tools.client.shell import Shell


def register_all() -> None:
    """Add the kinds to the table."""
    register_client_kind(ApplyPatch())
    register_client_kind(Computer())
    register_client_kind(LocalShell())
    register_client_kind(Shell())

"""The HTTP server."""

from antiphon.server.run import run

__all__ = ["run"]

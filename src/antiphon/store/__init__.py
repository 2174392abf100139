"""Responses, conversations and items in SQLite or PostgreSQL."""

from antiphon.store.store import Store

__all__ = ["Store"]

"""Keyword and semantic search for chunks, on SQLite and PostgreSQL."""

"""Composition of the server, and its lifecycle."""

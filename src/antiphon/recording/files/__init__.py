"""Recordings on disk: native scopes and llama-stack's files."""

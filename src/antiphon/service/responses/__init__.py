"""Responses: creation, continuation, storage and compaction."""

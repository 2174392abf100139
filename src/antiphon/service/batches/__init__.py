"""Batches: their use cases, and their execution."""

"""Recorded calls: canonical requests, keys and outcomes."""

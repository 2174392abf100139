"""Recorded calls: keys, canonical requests, outcomes."""

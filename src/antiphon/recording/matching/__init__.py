"""Matching: which recording answers a request."""

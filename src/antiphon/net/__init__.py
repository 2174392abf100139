"""Outgoing requests to URLs that a client provides."""

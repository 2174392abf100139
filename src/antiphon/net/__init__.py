"""Outgoing requests to addresses that a client names."""

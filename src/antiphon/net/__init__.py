"""Outgoing requests to URLs that a client provides; deferred writes to connections."""

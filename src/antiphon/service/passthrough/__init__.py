"""Endpoints that are proxied to the backend."""

"""API keys, limits and idempotency."""

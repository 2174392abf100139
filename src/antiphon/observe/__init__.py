"""Request record, request log and logging."""

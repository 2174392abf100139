"""Translation of requests, items and tools into chat requests."""

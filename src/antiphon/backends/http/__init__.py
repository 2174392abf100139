"""HTTP client for direct connections to backends."""

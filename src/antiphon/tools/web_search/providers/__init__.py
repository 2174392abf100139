"""Search providers, one per module."""

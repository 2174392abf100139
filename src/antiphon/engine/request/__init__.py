"""From items and tools to chat messages."""

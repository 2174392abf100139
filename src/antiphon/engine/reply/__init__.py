"""From chat chunks to items and events."""

"""Turns without I/O: events of responses become steps, and steps become a turn."""

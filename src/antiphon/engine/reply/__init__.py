"""Conversion of chat completion chunks into output items and events."""

"""Maintenance of recordings: check, convert, show."""

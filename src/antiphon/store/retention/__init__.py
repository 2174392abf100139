"""Removal of objects that are older than the settings allow."""

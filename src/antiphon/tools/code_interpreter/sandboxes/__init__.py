"""Sandboxes for the code of containers, one file per kind."""

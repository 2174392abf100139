"""Maintenance of the database by an operator."""

"""Responses, items and conversations in the database."""

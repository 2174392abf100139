"""Responses: create, continue, store, compact."""

"""Deletions that continue after their request, in many small transactions."""

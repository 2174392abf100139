"""Calls of hosted tools: their life, and the items that they become."""

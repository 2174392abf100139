"""The log of responses: their steps, refused requests, and full-text search."""

"""Dialects: other wire formats of the API than api.openai.com's, pure in both directions."""

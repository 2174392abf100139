"""Dialects: other wire formats and APIs than api.openai.com's, pure in both directions."""

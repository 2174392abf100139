"""Anthropic's Messages API over the Responses API, pure in both directions."""

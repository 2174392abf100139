"""Web search as a hosted tool."""

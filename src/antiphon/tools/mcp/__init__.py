"""MCP servers as hosted tools."""

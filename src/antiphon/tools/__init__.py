"""The hosted tools: what the server runs itself for any model that can call functions."""

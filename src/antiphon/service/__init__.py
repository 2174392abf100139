"""The use cases: responses, conversations and proxied chat completions, over the engine and the store."""

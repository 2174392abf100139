"""Files of recordings: native scope files and llama-stack's files."""

"""State that the servers of a database share while they run: usage of API keys, and notices."""

"""Vector stores, their files and their chunks in the database."""

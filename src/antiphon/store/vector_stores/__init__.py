"""Vector stores, their files and chunks in the database."""

"""Text extraction from files, chunking, and ranking of search results."""

"""Record and replay of model calls: file formats, matching, the player. It stands in for a backend."""

"""Record and replay at the engine's ports."""

"""Record and replay of model and tool calls: formats, matching, modes, faults."""

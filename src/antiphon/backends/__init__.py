"""Chat backends: discovery, model lists, capabilities and HTTP clients."""

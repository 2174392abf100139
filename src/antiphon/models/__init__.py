"""Chat backends: which one serves a model, what it can do, and the client that calls it."""

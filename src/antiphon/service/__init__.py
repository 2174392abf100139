"""Use cases of the API's endpoints, on top of the engine and the store."""

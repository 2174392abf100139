"""WebSocket mode of the Responses API: connections, their lanes, and steering."""

"""Chat backends: catalogue, capabilities, and the clients that call them."""

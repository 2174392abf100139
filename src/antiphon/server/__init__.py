"""HTTP server: connections, the edge, routes and their description."""

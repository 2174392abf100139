"""Authentication, errors, bodies and server-sent events."""

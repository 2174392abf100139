"""Webhook endpoints, and the queue of deliveries."""

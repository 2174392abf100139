"""Batches: their queue, and the results of their lines."""

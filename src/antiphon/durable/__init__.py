"""Execution of background responses: the queue, the journal of finished calls, the event log."""

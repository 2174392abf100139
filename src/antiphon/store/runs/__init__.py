"""Background responses: their queue, their event logs and their finished steps."""

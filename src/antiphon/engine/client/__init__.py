"""Built-in tools that the client runs: kinds, streams of their calls, pairs of calls and outputs."""

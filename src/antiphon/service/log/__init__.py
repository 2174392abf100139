"""The log of responses: lists, timelines, forks and comparisons."""

"""Raw inputs for HTTP servers, by subject."""

from tests.server.http.corpus import chunks, framing, headers, lines, pipelines, upgrades

CASES = [
    *lines.CASES,
    *headers.CASES,
    *framing.CASES,
    *chunks.CASES,
    *pipelines.CASES,
    *upgrades.CASES,
]

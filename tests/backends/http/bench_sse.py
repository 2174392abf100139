"""Time of the SSE splitter: `python -m tests.backends.http.bench_sse`. Figures depend on the machine."""

import sys
import timeit
from functools import partial

from antiphon.backends.http.sse import SseSplitter

_CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}\n\n'
)


def _run(reads: list[bytes]) -> int:
    splitter = SseSplitter()
    return sum(len(splitter.feed(read)) for read in reads)


def main() -> None:
    """Print the time per chunk: one chunk per read, ten per read, and reads that cut chunks and CRLFs."""
    body = _CHUNK * 1000
    cases = {
        "one chunk a read": [_CHUNK] * 1000,
        "ten chunks a read": [_CHUNK * 10] * 100,
        "cut every 100 bytes": [body[at : at + 100] for at in range(0, len(body), 100)],
        "CRLF, one a read": [_CHUNK.replace(b"\n", b"\r\n")] * 1000,
    }
    for name, reads in cases.items():
        if _run(reads) != 1000:
            raise SystemExit(f"{name}: chunks were lost")
        best = min(timeit.repeat(partial(_run, reads), number=20, repeat=5))
        sys.stdout.write(f"{name:22} {best / 20 / 1000 * 1e9:6.0f} ns a chunk\n")


if __name__ == "__main__":
    main()

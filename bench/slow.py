"""W3: many slow streams at once, and the delay of each token through the server."""

import tempfile
from dataclasses import dataclass

from bench.client import Figures, Load, percentile
from bench.servers import antiphon
from bench.table import Table
from bench.workloads import Target, body, measured

NAME = "W3 {} streams, a token every 20 ms"
LIMIT = "W3 limit of a core"
STREAMS = (100, 500, 1000)
_GAP = 0.02
_BEGIN = 500
"""Streams that begin per second."""
_HOLD = 2.0
"""Seconds of measurement, in which all streams are open."""
_SLACK = 20.0
"""More seconds of backend output, for servers whose streams begin late."""
_SHARE = 0.6


@dataclass
class _Run:
    figures: Figures
    bytes_each: float
    """Memory per stream."""

    @property
    def late(self) -> float:
        """The 99th percentile of the delay of a token, in seconds."""
        return percentile(self.figures.lateness, 0.99)

    @property
    def tokens_a_second(self) -> float:
        """Tokens forwarded per second of CPU time."""
        return len(self.figures.lateness) / self.figures.cpu


def slow_streams(table: Table, stub_port: int, *, rounds: int) -> None:
    """Run each number of streams several times, and use the run with the median delay.

    The limit is the number of tokens that one core forwards per second of CPU time. It comes from the largest
    number of streams with a median delay below the time between two tokens. Beyond that, tokens accumulate
    and are sent several at a time, which is cheap but useless. The last run has 60 % of the limit.
    """
    limit = 0.0
    for streams in STREAMS:
        run = _median_run(table, stub_port, streams, rounds)
        if percentile(run.figures.lateness, 0.5) < _GAP or not limit:
            limit = run.tokens_a_second
    share = int(_SHARE * limit * _GAP)
    _median_run(table, stub_port, share, rounds)
    table.add(LIMIT, "antiphon", {"tokens/s": limit, "streams at 60 %": share})


def _median_run(table: Table, stub_port: int, streams: int, rounds: int) -> _Run:
    alone = b'{"model":"%s","input":"Go.","stream":true}' % _model(streams).encode()
    load = _load(stub_port, alone, streams)
    load.expected, load.lateness_after = b"[DONE]", b'"content":"'
    bare = measured(load)
    run = sorted((_run(stub_port, streams) for _ in range(rounds)), key=lambda run: run.late)[rounds // 2]
    figures, tokens = run.figures, len(run.figures.lateness)
    values = {
        "late p50 ms": percentile(figures.lateness, 0.5) * 1000,
        "late p99 ms": run.late * 1000,
        "without server p50 ms": percentile(bare.lateness, 0.5) * 1000,
        "without server p99 ms": percentile(bare.lateness, 0.99) * 1000,
        "tokens/s": tokens / figures.seconds,
        "CPU %": figures.cpu / figures.seconds * 100,
        "CPU s/1000 events": figures.cpu / tokens * 1000,
        "peak RSS MB": figures.peak / 1e6,
        "KB/stream": run.bytes_each / 1000,
    }
    table.add(NAME.format(streams), "antiphon", values)
    return run


def _run(stub_port: int, streams: int) -> _Run:
    with tempfile.TemporaryDirectory() as folder, antiphon(stub_port, folder) as server:
        target = Target("antiphon", server, "openai/")
        first = body(target, "paced-5-20", stream=True, store=True)
        measured(Load(server.port, [first], 1))  # A first response loads memory that isn't a stream's.
        rest = server.memory()
        request = body(target, _model(streams), stream=True, store=True)
        figures = measured(_load(server.port, request, streams), server)
        return _Run(figures, (figures.peak - rest) / streams)


def _model(streams: int) -> str:
    """Return a model whose streams stay open until all have begun and been measured."""
    return f"paced-{int((streams / _BEGIN + _HOLD + _SLACK) / _GAP)}-{_GAP * 1000:.0f}"


def _load(port: int, request: bytes, streams: int) -> Load:
    return Load(port, [request], streams, spread=streams / _BEGIN, hold=_HOLD)

"""The metrics of this process, or of all workers, in Prometheus' text format.

Workers share a directory, which the variable `PROMETHEUS_MULTIPROC_DIR` names before this module is imported.
Each writes its values to a file there, and a scrape of any worker sums them.
"""

import asyncio
import os
from pathlib import Path
from typing import Final, NoReturn

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from antiphon import __version__
from antiphon.errors import (
    AntiphonError,
    ContextLengthExceeded,
    ToolListFailed,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.observe.telemetry import series
from antiphon.observe.telemetry.calls import ModelCall, ToolRun
from antiphon.observe.telemetry.series import Series
from antiphon.observe.telemetry.shared import DIRECTORY, forget_stopped

_MOST_VALUES = 100
"""The most values of a label that clients and backends choose; later ones count as `other`."""
_MAX_VALUE = 100
_LAG_PAUSE = 1.0

_KINDS: Final = (
    (UpstreamUnreachable, "unreachable"),
    (UpstreamTimeout, "timeout"),
    (UpstreamBroken, "broken"),
    (ToolListFailed, "tools"),
    (ContextLengthExceeded, "context_length"),
)


class Bounded:
    """A label with a limited number of values."""

    def __init__(self, most: int = _MOST_VALUES) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """Return a known value, or `other` when there are too many."""
        value = value[:_MAX_VALUE]
        if value not in self._known:
            if len(self._known) >= self._most:
                return "other"
            self._known.add(value)
        return value


class Metrics:
    """All metrics of a server."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # Few dashboards use these series.
        self._registry = CollectorRegistry()
        self._model, self._tool, self._backend = Bounded(), Bounded(), Bounded()
        self._requests = self._counter(series.REQUESTS)
        self._request_seconds = self._histogram(series.REQUEST_SECONDS)
        self._responses = self._counter(series.RESPONSES)
        self.responses_open = self._gauge(series.RESPONSES_OPEN)
        self._tokens = self._counter(series.TOKENS)
        self._first_token = self._histogram(series.FIRST_TOKEN)
        self._per_token = self._histogram(series.PER_TOKEN)
        self._tool_calls = self._counter(series.TOOL_CALLS)
        self._tool_seconds = self._histogram(series.TOOL_SECONDS)
        self._backend_errors = self._counter(series.BACKEND_ERRORS)
        self.streams = self._gauge(series.STREAMS)
        self.websockets = self._gauge(series.WEBSOCKETS)
        self._store_seconds = self._histogram(series.STORE_SECONDS)
        self._store_group = self._histogram(series.STORE_GROUP)
        self._loop_lag = self._histogram(series.LOOP_LAG)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def response(self, model: str, status: str) -> None:
        """Count a response that has ended."""
        self._responses.labels(self._model(model), status).inc()

    def model_call(self, call: ModelCall) -> None:
        """Count the tokens and times of a model call that has ended."""
        model = self._model(call.model)
        if (usage := call.usage) is not None:
            cached, reasoning = usage.input_tokens_details, usage.output_tokens_details
            for kind, count in (
                ("input", usage.input_tokens),
                ("output", usage.output_tokens),
                ("cached", cached.cached_tokens),
                ("reasoning", reasoning.reasoning_tokens),
            ):
                self._tokens.labels(model, kind).inc(max(0, count))
        if (first := call.seconds_to_first) is not None:
            self._first_token.labels(model).observe(first)
        if (per_token := call.seconds_per_token) is not None:
            self._per_token.labels(model).observe(per_token)

    def tool_run(self, run: ToolRun) -> None:
        """Count a call of a hosted tool."""
        name = self._tool(run.name)
        self._tool_calls.labels(name, "error" if run.has_failed else "ok").inc()
        self._tool_seconds.labels(name).observe(run.seconds)

    def failure(self, model: str | None, error: AntiphonError) -> None:
        """Count the error of a request or of a response, if it is a backend's."""
        kind = kind_of(error)
        if kind is not None:
            backend = "" if model is None else model.partition("/")[0]
            self._backend_errors.labels(self._backend(backend), kind).inc()

    def store(self, operation: str, seconds: float, group: int) -> None:
        """Count a transaction; threads of the database call it.

        Args:
            operation: `read` or `write`.
            seconds: The time that the transaction took.
            group: The number of writes in it.
        """
        self._store_seconds.labels(operation).observe(seconds)
        if operation == "write":
            self._store_group.observe(group)

    async def measure_lag(self) -> NoReturn:
        """Measure the delay of the event loop until the task is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_PAUSE
            await asyncio.sleep(_LAG_PAUSE)
            self._loop_lag.observe(max(0.0, loop.time() - due))

    def text(self, runs: tuple[int, int] | None) -> bytes:
        """Return all metrics; with workers, the sums of all.

        Args:
            runs: The number of background responses that wait in the database, and of those that run; None
                if the database did not tell.
        """
        own = CollectorRegistry()
        own.register(_Now(runs))
        if (folder := os.environ.get(DIRECTORY)) is not None:
            forget_stopped(Path(folder))
            MultiProcessCollector(own)  # type: ignore[no-untyped-call]
            return generate_latest(own)
        return generate_latest(self._registry) + generate_latest(own)

    def _counter(self, each: Series) -> Counter:
        return Counter(each.name, each.meaning, each.labels, registry=self._registry)

    def _gauge(self, each: Series) -> Gauge:
        return Gauge(
            each.name, each.meaning, each.labels, registry=self._registry, multiprocess_mode="livesum"
        )

    def _histogram(self, each: Series) -> Histogram:
        return Histogram(each.name, each.meaning, each.labels, registry=self._registry, buckets=each.buckets)


class _Now(Collector):
    """The values that a scrape reads, which are equal in all workers."""

    def __init__(self, runs: tuple[int, int] | None) -> None:
        self._runs = runs

    def collect(self) -> list[GaugeMetricFamily]:
        """Return the values."""
        info = GaugeMetricFamily(series.INFO.name, series.INFO.meaning, labels=series.INFO.labels)
        info.add_metric([__version__], 1)
        if self._runs is None:
            return [info]
        both = zip((series.QUEUED, series.RUNNING), self._runs, strict=True)
        return [info, *(GaugeMetricFamily(each.name, each.meaning, value=count) for each, count in both)]


def kind_of(error: AntiphonError) -> str | None:
    """Return the kind of a backend's error; None for other errors."""
    if isinstance(error, UpstreamRefused):
        return "rate_limited" if error.upstream_status == 429 else "refused"
    for kind, name in _KINDS:
        if isinstance(error, kind):
            return name
    return "broken" if isinstance(error, UpstreamError) else None

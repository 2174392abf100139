"""The log as the database has it: arrays of values, which are shorter than objects."""

from collections.abc import Callable

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from antiphon.wire.log import (
    STREAM,
    LoggedError,
    LoggedRequest,
    ModelStep,
    Step,
    StoredModelStep,
    StoredRequest,
    StoredStep,
    StoredSteps,
    StoredSummary,
    StoredToolStep,
    Summary,
    ToolStep,
)

_encode = msgspec.json.Encoder().encode
_decode_steps: Callable[[str], StoredSteps] = msgspec.json.Decoder(StoredSteps).decode
_decode_summary: Callable[[str], StoredSummary] = msgspec.json.Decoder(StoredSummary).decode


class Steps(Struct, kw_only=True):
    """The steps of a response, in the order in which they began."""

    steps: list[Step] = []
    """The steps; only the first ones of very many."""
    left_out: int = 0
    """Number of further steps that the log does not have."""
    error: LoggedError | None = None
    """Error of a failed response, with the backend's own words."""


def steps_of(stored: str) -> Steps:
    """Return the stored steps of a response."""
    found = _decode_steps(stored)
    return Steps(steps=[_step(each) for each in found.steps], left_out=found.left_out, error=found.error)


def summary_of(stored: str) -> Summary:
    """Return the stored summary of a response."""
    return Summary(**asdict(_decode_summary(stored)))


def kept_step(step: Step) -> str:
    """Return the JSON text of a step that a fork keeps."""
    values = asdict(step) | {"is_kept": True}
    if isinstance(step, ToolStep):
        return _encode(StoredToolStep(**values)).decode()
    if step.request is not None:
        values["request"] = StoredRequest(**asdict(step.request))
    return _encode(StoredModelStep(**values)).decode()


def _step(stored: StoredStep) -> Step:
    values = asdict(stored)
    if isinstance(stored, StoredToolStep):
        return ToolStep(**values)
    if stored.request is not None:
        request = asdict(stored.request)
        if request.pop("is_stream"):
            request["settings"] = STREAM | stored.request.settings
        values["request"] = LoggedRequest(**request)
    return ModelStep(**values)

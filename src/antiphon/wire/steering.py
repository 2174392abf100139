"""Steering over WebSocket: the client's event, and the events that report the state of the input.

See https://developers.openai.com/api/docs/guides/websocket-mode.
"""

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from antiphon.wire.items import InputItem


class ResponseSteerEvent(Struct, kw_only=True):
    """WebSocket frame with input for a response in progress; `input` has messages of the user alone."""

    type: Literal["response.steer"]
    previous_response_id: str
    input: str | list[InputItem]


class Steer(Struct):
    """Accepted input."""

    id: str
    previous_response_id: str


class ReturnedSteer(Struct, kw_only=True):
    """Input that was not applied; the `id` is absent if it was never accepted."""

    id: str | UnsetType = UNSET
    previous_response_id: str
    input: Raw


class SteerError(Struct, kw_only=True):
    """Reason for which input was not applied."""

    type: Literal["invalid_request_error"] = "invalid_request_error"
    code: str
    message: str


class RequiredInput(Struct, kw_only=True, omit_defaults=True):
    """Identifying fields of an input item that the client owes to a response."""

    type: str
    call_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    execution: Literal["client"] | UnsetType = UNSET
    approval_request_id: str | UnsetType = UNSET


class SteerAccepted(Struct, tag="response.steer.accepted"):
    """Input that the server will apply or return."""

    steer: Steer
    sequence_number: int = 0


class SteerPending(Struct, kw_only=True, tag="response.steer.pending"):
    """Accepted input that waits until the client has sent the required input."""

    steer: Steer
    reason: Literal["waiting_for_required_input"] = "waiting_for_required_input"
    required_input: list[RequiredInput]
    sequence_number: int = 0


class SteerFailed(Struct, tag="response.steer.failed"):
    """Input that is returned, because it was rejected or can't be applied."""

    steer: ReturnedSteer
    error: SteerError
    sequence_number: int = 0


SteerEvent = SteerAccepted | SteerPending | SteerFailed
"""Event about steering input."""

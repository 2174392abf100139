"""Steering of the responses of a connection: input, its state, and the events about it."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from msgspec import Raw, Struct

from antiphon.decode import bodies
from antiphon.decode.bounds import FLAT, LONG, check_structure
from antiphon.decode.unknown import unknown_parameter
from antiphon.engine.request_context import Ids
from antiphon.engine.slices import in_thread
from antiphon.engine.steering import SteerQueue, Submission
from antiphon.errors import InvalidRequest
from antiphon.server.websocket.channel import Channel
from antiphon.server.websocket.errors import SteerCode, SteerRefused
from antiphon.server.websocket.lanes import Lane, Lanes, Pending
from antiphon.service.responses.run import Run
from antiphon.service.responses.steering import required_input, steering_messages
from antiphon.wire.items import Message
from antiphon.wire.responses import Response
from antiphon.wire.steering import ReturnedSteer, Steer, SteerAccepted, SteerError, SteerFailed, SteerPending

MAX_STEERS = 16
"""Submissions that may wait for one response."""
MAX_STEER_SIZE = 32 * 1024 * 1024
"""Size limit in bytes of all input that waits on a connection."""
_MAX_ENDED = 256
"""Responses that a connection remembers after their end, for the error code of late input."""
_ID_SIZE = 16


@dataclass(slots=True)
class _Target:
    """A response in progress."""

    lane: Lane
    queue: SteerQueue | None
    """None for a response that can't be steered."""
    ids: Ids


class _Given(Struct):
    """The parts of a frame that the client gets back, as they are."""

    previous_response_id: Raw = Raw(b"null")
    input: Raw = Raw(b"null")


_given = msgspec.json.Decoder(_Given)


class Steers:
    """Steering input of one connection. It is in memory only."""

    def __init__(self, channel: Channel, lanes: Lanes) -> None:
        self._channel = channel
        self._lanes = lanes
        self._targets: dict[str, _Target] = {}
        self._ended: OrderedDict[str, tuple[Lane, bool]] = OrderedDict()
        """The lane of each response that has ended, and whether the response is complete."""
        self.is_open = True
        """Whether the connection still accepts input."""

    @contextmanager
    def accepting(self, lane: Lane, run: Run, queue: SteerQueue | None, ids: Ids) -> Iterator[None]:
        """Accept input for a response inside of the block. The rest is pending for the lane afterwards.

        Args:
            lane: The lane of the response.
            run: The run of the response.
            queue: The queue that the run reads; None for a response that can't be steered.
            ids: Generates the IDs of submissions.
        """
        response_id = run.loop.response.id
        self._targets[response_id] = _Target(lane, queue, ids)
        try:
            yield
        finally:
            del self._targets[response_id]
            self._ended[response_id] = (lane, run.final is not None and run.final.status == "completed")
            if len(self._ended) > _MAX_ENDED:
                self._ended.popitem(last=False)
            if queue is not None and queue.has_input():
                lane.pending = Pending(response_id, queue.take())

    async def submit(self, body: bytes) -> None:
        """Accept the input of a frame.

        Raises:
            SteerRefused: The input isn't accepted; an event returned it to the client.
            InvalidRequest: The frame has no input that could be returned.
        """
        given, messages, refusal = await _read(body)
        response_id: str = msgspec.json.decode(given.previous_response_id)
        target = self._targets.get(response_id)
        lane = target.lane if target is not None else self._ended.get(response_id, (None, False))[0]
        if refusal is None:
            refusal = self._refusal(response_id, target, memoryview(given.input).nbytes)
        if refusal is not None:
            returned = ReturnedSteer(previous_response_id=response_id, input=given.input)
            await self._fail(lane, returned, refusal)
            raise refusal
        assert target is not None
        assert target.queue is not None
        steer = Steer(target.ids("steer", _ID_SIZE), response_id)
        target.queue.add(Submission(steer.id, messages, given.input))
        await self._channel.send_steering(lane, SteerAccepted(steer))

    async def settle(self, lane: Lane, response: Response) -> bool:
        """Return whether a successor continues an ended response at once with the input that is pending.

        Otherwise, the client learns that the input waits for its request, or gets the input back.
        """
        pending = lane.pending
        if pending is None:
            return False
        details = response.incomplete_details
        if response.status != "completed" and (details is None or details.reason != "steered"):
            await self.give_back(lane, "response_not_active", f"The response ended as {response.status}.")
            return False
        required = required_input(response.output)
        if not required:
            return True
        if lane.waiting and lane.waiting[0].continues == response.id:
            return False
        for each in pending.submissions:
            steer = Steer(each.id, pending.response_id)
            await self._channel.send_steering(lane, SteerPending(steer=steer, required_input=required))
        return False

    async def give_back(self, lane: Lane, code: SteerCode, message: str) -> None:
        """Return the pending input of a lane to the client."""
        pending, lane.pending = lane.pending, None
        for each in pending.submissions if pending is not None else ():
            assert pending is not None
            returned = ReturnedSteer(id=each.id, previous_response_id=pending.response_id, input=each.given)
            await self._fail(lane, returned, SteerRefused(code, message))

    async def _fail(self, lane: Lane | None, returned: ReturnedSteer, refusal: SteerRefused) -> None:
        error = SteerError(code=str(refusal.code), message=refusal.message)
        await self._channel.send_steering(lane, SteerFailed(returned, error))

    def _refusal(self, response_id: str, target: _Target | None, size: int) -> SteerRefused | None:
        """Return the reason for which valid input isn't accepted; None if it is."""
        if target is None:
            if response_id not in self._ended:
                return SteerRefused(
                    "response_not_found",
                    f"No response with id '{response_id[:100]}' runs on this connection.",
                )
            if self._ended[response_id][1]:
                return SteerRefused(
                    "response_already_completed", "The response has completed. Continue it in a new request."
                )
            return SteerRefused("response_not_active", "The response has ended and accepts no more input.")
        if target.queue is None:
            return SteerRefused(
                "steering_not_supported",
                "Responses of a conversation, with compaction or without output can't be steered.",
            )
        if not self.is_open:
            return SteerRefused("response_not_active", "The connection is too old. Open another one.")
        if target.queue.is_full or self._size() + size > MAX_STEER_SIZE:
            return SteerRefused("too_many_pending_steers", "Too much steering input is waiting.")
        return None

    def _size(self) -> int:
        """Return the bytes of all input that waits."""
        queued = sum(each.queue.size for each in self._targets.values() if each.queue is not None)
        return queued + sum(
            each.size for lane in self._lanes if lane.pending for each in lane.pending.submissions
        )


async def _read(body: bytes) -> tuple[_Given, list[Message], SteerRefused | None]:
    """Return the raw parts of a frame, its messages, and the reason to reject them.

    Raises:
        InvalidRequest: The frame has no input that could be returned.
    """
    if len(body) > FLAT:
        await check_structure(body)
    try:
        messages = await in_thread(lambda: _messages(body)) if len(body) > LONG else _messages(body)
    except InvalidRequest as error:
        given = _returnable(body)
        if given is None:
            raise
        return given, [], SteerRefused("invalid_input", error.message)
    return _given.decode(body), messages, None


def _messages(body: bytes) -> list[Message]:
    event = bodies.response_steer_event.decode(body)
    if unknown := bodies.response_steer_event.unknown(body):
        raise unknown_parameter(unknown)
    return steering_messages(event.input)


def _returnable(body: bytes) -> _Given | None:
    """Return the parts of a frame if it names a response and has input of a type that events can have."""
    try:
        given = _given.decode(body)
        is_named = isinstance(msgspec.json.decode(given.previous_response_id), str)
        has_input = isinstance(msgspec.json.decode(given.input), str | list)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return given if is_named and has_input else None

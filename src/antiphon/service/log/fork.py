"""Forks: a stored response again, from one of its model calls on."""

from msgspec import UNSET, Struct

from antiphon.engine.kept import Kept
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest
from antiphon.service.items import message_of
from antiphon.service.log.entries import Log, LoggedResponse
from antiphon.service.log.sent import SentRequests
from antiphon.service.log.stored import kept_step
from antiphon.service.log.timeline import output_of
from antiphon.service.responses.responses import Responses
from antiphon.service.responses.run import Run
from antiphon.wire.items import Compaction, Item, Message
from antiphon.wire.log import ModelStep, Step


class Changes(Struct, frozen=True, kw_only=True):
    """The differences of a fork from its original."""

    step: int = 1
    """The number of the model call from which on the fork calls models and tools."""
    model: str | None = None
    """Another model."""
    instructions: str | None = None
    """Other instructions."""
    input: str | None = None
    """Another text in place of the last message of the input."""


class Forks:
    """Creates forks of stored responses.

    Args:
        log: The log.
        responses: The use cases of responses.
    """

    def __init__(self, log: Log, responses: Responses) -> None:
        self._log = log
        self._responses = responses

    async def fork(self, context: RequestContext, response_id: str, changes: Changes) -> Run:
        """Prepare a fork: `async with await forks.fork(...) as run`.

        The output begins with that of the original up to the model call `step`. It is a new stored response
        with a link to the original. It is in no conversation, because it would change the original's.

        Args:
            context: The context of the request, with the owner of the response.
            response_id: The ID of the original.
            changes: The differences.

        Raises:
            NotFound: The owner has no such response.
            InvalidRequest: The response can't be forked at the step.
        """
        logged = await self._log.get(context.owner, response_id)
        if logged.response is None:
            raise _impossible(response_id, "the server has not stored it")
        kept = _kept(logged, changes.step)
        request = await SentRequests(self._responses, context.seal).request(logged)
        given = logged.input
        if logged.response.conversation is not UNSET:
            given = await self._responses.items_before(context, logged.response)
        elif logged.response.previous_response_id is not None:
            request.previous_response_id = logged.response.previous_response_id
        if changes.input is not None:
            given = _with_input(given, message_of(changes.input, context.ids))
        request.input = [*given]
        request.store = True
        if changes.model is not None:
            request.model = changes.model
        if changes.instructions is not None:
            request.instructions = changes.instructions
        return await self._responses.create(context, request, kept=kept)


def _kept(logged: LoggedResponse, step: int) -> Kept:
    """Return the part of a response before a model call.

    Raises:
        InvalidRequest: The response has no such model call, or its log isn't complete.
    """
    response, steps = logged.response, logged.steps
    assert response is not None
    places = [
        number
        for number, view in enumerate(logged.timeline)
        if view.call == step and not any(earlier.call == step for earlier in logged.timeline[:number])
    ]
    if not places:
        calls = max((view.call or 0 for view in logged.timeline), default=0)
        raise InvalidRequest(
            f"Invalid 'step': expected a number from 1 to {calls}, the number of model calls, but got {step}."
            if calls
            else f"Response '{response.id}' has no model calls in the log.",
            code="invalid_value",
            param="step",
        )
    place = places[0]
    first = next(number for number, each in enumerate(steps) if _is_answer(each))
    if step == 1:
        return Kept(source=response.id, before=[], rounds=[], steps=[])
    items = response.output
    before = items[: _output(steps[first])]
    rounds = [
        said
        for number, each in enumerate(steps[:place])
        if _is_answer(each) and (said := output_of(steps, number, items))
    ]
    kept = Kept(
        source=response.id, before=before, rounds=rounds, steps=[kept_step(each) for each in steps[:place]]
    )
    if any(isinstance(item, Compaction) for item in kept.items):
        raise _impossible(response.id, f"the context was compacted before step {step}")
    return kept


def _is_answer(step: Step) -> bool:
    return isinstance(step, ModelStep) and step.purpose == "answer"


def _output(step: Step) -> int:
    assert isinstance(step, ModelStep)
    return step.output


def _with_input(given: list[Item], message: Message) -> list[Item]:
    """Return the input with a message in place of its last user message."""
    for place in range(len(given) - 1, -1, -1):
        item = given[place]
        if isinstance(item, Message) and item.role == "user":
            return [*given[:place], message, *given[place + 1 :]]
    return [*given, message]


def _impossible(response_id: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"Response '{response_id}' cannot be forked, because {reason}.", code="fork_not_possible", param="id"
    )

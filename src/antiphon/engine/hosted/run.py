"""Work of hosted tools in a response: set-ups before the model call, then the calls of the model."""

import asyncio
from collections.abc import AsyncGenerator, Container, Iterable, Mapping, Sequence

from antiphon.engine.hosted.items import for_client, has_failed, tool_name
from antiphon.engine.ports import HostedCall, HostedTool, StreamedCall
from antiphon.engine.request_context import RequestContext
from antiphon.engine.steps import ToolNote
from antiphon.wire.chat import ChatTool
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import Item

Offered = Mapping[int, Sequence[ChatTool]]
"""The functions of hosted tools, by the tool's position in the request."""


class HostedWork:
    """The hosted tools of one response: it leads their calls through their lives.

    The items of the calls go into `output`, the response's list. The generators yield events in batches and
    stop what still runs when they are closed. They raise the `AntiphonError` of a call that ends the
    response, after its last events.

    Args:
        tools: The hosted tools of the request.
        items: The context; it may hold approvals of earlier calls.
        output: The output of the response.
        include: Hidden parts of items that the request asks for.
        max_tool_calls: The calls that the response may make; None without a limit.
        context: The context of the client's request.

    Raises:
        InvalidRequest: A tool cannot be used as the request declares it.
    """

    def __init__(
        self,
        tools: Sequence[HostedTool],
        items: list[Item],
        output: list[Item],
        include: Container[str],
        max_tool_calls: int | None,
        context: RequestContext,
    ) -> None:
        self.waits = False
        """Whether the client has to answer a call before the model can go on."""
        self.unseen: list[Item] = []
        """The calls of the last `run` that only the model receives."""
        self._tools = {tool.position: tool for tool in tools}
        self._setups = [setup for tool in tools if (setup := tool.setup(items)) is not None]
        self._approved = [approved for tool in tools for approved in tool.approved(items)]
        self._output = output
        self._include = include
        self._limit = max_tool_calls
        self._observer = context.observer
        self._steps = context.steps
        self._keeps_skipped = context.behavior.keeps_skipped_calls
        self._made = 0
        self._open: HostedCall | None = None

    @property
    def is_set_up(self) -> bool:
        """Whether no set-up has to run before the model is called."""
        return not self._setups

    def offered(self) -> Offered:
        """Return the functions that the model is offered; none before the set-ups have run."""
        return {place: tool.functions() if self.is_set_up else [] for place, tool in self._tools.items()}

    def call(self, position: int, name: str, arguments: str) -> HostedCall:
        """Return a call that the model made, of a function of the tool at `position`."""
        return self._tools[position].call(name, arguments)

    def begin(self, position: int, name: str) -> StreamedCall | None:
        """Return a call whose arguments the model still writes; None if the tool needs them whole."""
        # Without an item for each call, none may begin before it is known to run.
        return self._tools[position].begin(name) if self._keeps_skipped else None

    def run_approved(self) -> AsyncGenerator[list[Event], None]:
        """Run the calls that the client has approved."""
        return self.run(self._approved, are_approved=True)

    async def set_up(self) -> AsyncGenerator[list[Event], None]:
        """Open all set-ups, then close each as it is done: the order of api.openai.com."""
        calls, self._setups = self._setups, []
        yield self._shown(event for index, call in enumerate(calls) for event in call.opening(index))
        done: dict[int, Item] = {}
        tasks = {asyncio.create_task(self._run_noted(call)): index for index, call in enumerate(calls)}
        waiting = set(tasks)
        try:
            while waiting:
                ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(ended, key=tasks.__getitem__):
                    index = tasks[task]
                    events = self._shown(calls[index].closing(index))
                    done[index] = calls[index].item
                    self._note(calls[index].item)
                    self._output[:] = [done[index] for index in sorted(done)]
                    yield events
                    task.result()
        finally:
            await _stop(tasks)

    async def run(
        self, calls: list[HostedCall], *, are_approved: bool = False
    ) -> AsyncGenerator[list[Event], None]:
        """Run the calls of one reply at the same time; their items open and close one after another."""
        self.unseen = []
        tasks = [
            None
            if self._is_over_limit(call)
            else asyncio.create_task(self._run_noted(call, is_approved=are_approved))
            for call in calls
        ]
        try:
            for call, task in zip(calls, tasks, strict=True):
                index = len(self._output)
                if task is None:
                    events = self._shown(call.skip(index))
                    if self._keeps_skipped:
                        self._output.append(call.item)
                        yield events
                    else:
                        self.unseen.append(call.item)
                    continue
                self._open = call
                yield self._shown(call.opening(index))
                await asyncio.wait([task])
                events = self._shown(call.closing(index))
                self._open = None
                self._output += [call.item, *call.following]
                self._note(call.item)
                self.waits = self.waits or call.ends_turn
                yield events
                task.result()
        finally:
            await _stop(task for task in tasks if task is not None)

    def leave(self, calls: list[HostedCall]) -> list[Event]:
        """Return the events of calls that never run; their items keep an unfinished status.

        A request for approval gets no item, because its arguments may be incomplete.
        """
        events: list[Event] = []
        for call in calls:
            if not call.ends_turn:
                events += self._shown(call.skip(len(self._output)))
                self._output.append(call.item)
        return events

    def abandon(self) -> None:
        """Keep the item of an interrupted call in its present state."""
        if self._open is not None:
            self._output.append(self._open.item)
            self._open = None

    async def _run_noted(self, call: HostedCall, *, is_approved: bool = False) -> None:
        """Run a call, which the step log notes unless it only asks the client."""
        steps = self._steps
        if steps is None or call.ends_turn:
            await call.run()
            return
        note = ToolNote(lambda: call.item, is_approved)
        steps.begin(note)
        try:
            await call.run()
        finally:
            steps.end(note)

    def _note(self, item: Item) -> None:
        if (name := tool_name(item)) is not None:
            self._observer.tool_called(name, failed=has_failed(item))

    def _is_over_limit(self, call: HostedCall) -> bool:
        """Return whether a call exceeds `max_tool_calls`; a request for approval does not count."""
        if self._limit is not None and self._made >= self._limit:
            return True
        self._made += not call.ends_turn
        return False

    def _shown(self, events: Iterable[Event]) -> list[Event]:
        return shown(list(events), self._include)


def shown(events: list[Event], include: Container[str]) -> list[Event]:
    """Return events whose items have only the fields that a request includes."""
    for event in events:
        if isinstance(event, OutputItemAdded | OutputItemDone):
            event.item = for_client(event.item, include)
    return events


async def _stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel the tasks that still run, and wait until they have ended."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

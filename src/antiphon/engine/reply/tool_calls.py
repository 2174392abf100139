"""Building of streamed tool calls: function arguments and custom tool input."""

from collections.abc import Callable, Container, Iterable, Mapping

import msgspec

from antiphon.engine.client.kinds import ClientCall, ClientFunctions, as_item
from antiphon.engine.hosted.run import shown
from antiphon.engine.ports import StreamedCall
from antiphon.engine.reply.grammar import Grammar, InputCheck
from antiphon.engine.reply.tool_input import InputReader
from antiphon.engine.request_context import Ids
from antiphon.ids import CALL
from antiphon.wire.chat import ToolCallDelta
from antiphon.wire.events import (
    CustomToolCallInputDelta,
    CustomToolCallInputDone,
    Event,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    OutputItemAdded,
    OutputItemDone,
)
from antiphon.wire.items import CustomToolCall, FunctionCall, Item, ItemStatus

ToolNames = Mapping[str, tuple[str, str]]
"""The (namespace, name) of each function that has another name at the backend."""


class KnownTools(msgspec.Struct, frozen=True, kw_only=True):
    """The tools that a model may call, by their names at the backend."""

    names: ToolNames = {}
    """The functions with other names at the backend."""
    hosted: Container[str] = frozenset()
    """Functions that the server itself runs."""
    custom: Mapping[str, Grammar | None] = {}
    """Custom tools, and the grammars of their inputs."""
    client: ClientFunctions = {}
    """Built-in tools that the client runs."""
    asynchronous: Container[str] = frozenset()
    """Tools whose calls the model does not wait for."""
    begin: Callable[[str], StreamedCall | None] | None = None
    """Begins a call of a hosted function whose item streams with its arguments; None if no tool does that."""
    include: Container[str] = ()
    """Hidden parts of hosted items that the request asks for."""


class HostedFunctionCall(msgspec.Struct, frozen=True):
    """A complete call of a hosted function."""

    name: str
    """The name at the backend."""
    arguments: str
    streamed: StreamedCall | None = None
    """The call, if its item has begun already."""


_NONE = KnownTools()


class CallBuilder:
    """The builder of a call of a function, a custom tool or a built-in tool that the client runs.

    It announces the item once its name is complete, since a name may arrive in parts. A call of a hosted
    function is only collected, without events or an item, unless its tool streams the arguments.
    """

    def __init__(self, ids: Ids, known: KnownTools = _NONE) -> None:
        self.call_id: str | None = None
        self.name = ""
        self.closed = False
        self.is_raw = False
        """Whether a custom tool's input arrives as plain text, not as function arguments."""
        self.fault: str | None = None
        """The error in the input of a custom tool."""
        self.streamed: StreamedCall | None = None
        """The hosted call whose item streams with its arguments."""
        self._ids = ids
        self._known = known
        self._item_id = ""
        self._output_index = -1
        self._arguments: list[str] = []
        self._sent = 0
        self._reader = InputReader()
        self._input: list[str] = []
        self._check: InputCheck | None = None
        self._built_in: ClientCall[msgspec.Struct] | None = None
        """The call of a built-in tool, once its name is complete."""

    @property
    def is_hosted(self) -> bool:
        """Whether the call is for a hosted tool."""
        return self.name in self._known.hosted

    @property
    def arguments(self) -> str:
        """The arguments received so far."""
        return "".join(self._arguments)

    def is_whole(self) -> bool:
        """Return whether the call is complete. The next item completes a raw input.

        A hosted call whose item has begun is never complete: the next item waits for its result.
        """
        if self.streamed is not None:
            return False
        return (self.is_raw and bool(self.name)) or self.has_whole_arguments()

    def has_whole_arguments(self) -> bool:
        """Return whether the arguments are a complete JSON object."""
        end = next((piece for piece in reversed(self._arguments) if not piece.isspace()), "")
        if self.is_raw or not self.name or not end.rstrip().endswith("}"):
            return False
        try:
            return isinstance(msgspec.json.decode(self.arguments), dict)
        except (msgspec.DecodeError, RecursionError):
            return False

    def write(self, events: list[Event], call_id: str | None, name: str | None, arguments: str) -> None:
        """Process one delta. A name that is repeated in full is added only once."""
        if call_id and not self._item_id:
            self.call_id = self.call_id or call_id
        if name and name != self.name and not (self.name and self._arguments):
            self.name += name
        if arguments and not self.closed:
            self._arguments.append(arguments)
        if self._output_index >= 0:
            self._send(events)

    def open(self, events: list[Event], output_index: int) -> None:
        """Begin the item and send the waiting deltas."""
        self._output_index = output_index
        self._send(events)

    def end_input(self, events: list[Event], status: ItemStatus) -> None:
        """Send the rest of a custom tool's input; check a complete one (sets `fault`)."""
        if self.name in self._known.client:
            fault = self._client_call().finish(self.arguments, status)
            if fault is not None:
                self.fault = f"the call of the tool '{self.name}' {fault}"
        if not self._is_custom:
            return
        self._announce(events)
        if not self.is_raw:
            self._send_input(events, self._reader.close(is_cut=status == "incomplete"))
        if self._check is not None and self.fault is None and status == "completed":
            self._find(self._check.end())

    def close(self, events: list[Event], status: ItemStatus) -> Item:
        """End the item and return it."""
        if self._built_in is not None:
            self.closed = True
            events += self._built_in.closing(self._output_index)
            return as_item(self._built_in.item)
        self._announce(events)
        self.closed = True
        item = self._item(status)
        place = self._item_id, self._output_index
        if isinstance(item, CustomToolCall):
            events.append(CustomToolCallInputDone(*place, item.input))
        else:
            events.append(FunctionCallArgumentsDone(*place, item.name, item.arguments))
        events.append(OutputItemDone(self._output_index, item))
        return item

    def snapshot(self) -> Item:
        """Return the item so far, with status incomplete."""
        if self.name in self._known.client:
            call = self._client_call()
            call.finish(self.arguments, "incomplete")
            return as_item(call.item)
        return self._item("incomplete")

    @property
    def _is_custom(self) -> bool:
        return self.name in self._known.custom

    def _send(self, events: list[Event]) -> None:
        """Send the arguments not sent yet; without a name they wait for it."""
        if self._known.begin is not None and self.is_hosted:
            self._stream(events, self._known.begin)
            return
        if self.name and self._sent < len(self._arguments) and not self.is_hosted:
            if self.name in self._known.client:
                self._send_to_built_in(events)
                return
            self._announce(events)
            for arguments in self._arguments[self._sent :]:
                if self._is_custom:
                    self._send_input(events, arguments if self.is_raw else self._reader.feed(arguments))
                else:
                    events.append(FunctionCallArgumentsDelta(self._item_id, self._output_index, arguments))
            self._sent = len(self._arguments)

    def _send_to_built_in(self, events: list[Event]) -> None:
        call = self._client_call()
        for arguments in self._arguments[self._sent :]:
            events += call.feed(arguments, self._output_index)
        self._sent = len(self._arguments)

    def _client_call(self) -> ClientCall[msgspec.Struct]:
        if self._built_in is None:
            function = self._known.client[self.name]
            self._item_id = self._ids(function.kind.prefix)
            self.call_id = self.call_id or self._ids("call", CALL)
            self._built_in = function.begin(self._item_id, self.call_id)
        return self._built_in

    def _stream(self, events: list[Event], begin: Callable[[str], StreamedCall | None]) -> None:
        """Send the arguments of a hosted call whose item streams with them."""
        if self.streamed is None and not self._sent and self._arguments:
            self.streamed = begin(self.name)
            if self.streamed is not None:
                events += shown(self.streamed.begin(self._output_index), self._known.include)
        if self.streamed is not None:
            for arguments in self._arguments[self._sent :]:
                events += self.streamed.feed(arguments, self._output_index)
        self._sent = len(self._arguments)

    def end_hosted(self, events: list[Event], status: ItemStatus) -> HostedFunctionCall:
        """End the call of a hosted function, and return it."""
        self.closed = True
        if self.streamed is not None:
            events += self.streamed.end(self._output_index, is_cut=status == "incomplete")
        return HostedFunctionCall(self.name, self.arguments, self.streamed)

    def _send_input(self, events: list[Event], text: str) -> None:
        if text:
            self._input.append(text)
            events.append(CustomToolCallInputDelta(self._item_id, self._output_index, text))
            if self._check is not None and self.fault is None:
                self._find(self._check.feed(text))

    def _find(self, fault: str | None) -> None:
        if fault is not None:
            self.fault = f"the input of the custom tool '{self.name}' {fault}"

    def _announce(self, events: list[Event]) -> None:
        if not self._item_id:
            grammar = self._known.custom.get(self.name)
            self._check = None if grammar is None else grammar.check()
            events.append(OutputItemAdded(self._output_index, self._item("in_progress")))

    def _item(self, status: ItemStatus) -> FunctionCall | CustomToolCall:
        if not self._item_id:
            self._item_id = self._ids("ctc" if self._is_custom else "fc")
        if self.call_id is None:
            self.call_id = self._ids("call", CALL)
        namespace, name = self._known.names.get(self.name, (None, self.name))
        item: FunctionCall | CustomToolCall
        if self._is_custom:
            text = "".join(self._input)
            item = CustomToolCall(
                id=self._item_id, status=status, call_id=self.call_id, input=text, name=name
            )
        else:
            arguments = "" if status == "in_progress" else self.arguments
            item = FunctionCall(
                id=self._item_id, status=status, arguments=arguments, call_id=self.call_id, name=name
            )
        if namespace is not None:
            item.namespace = namespace
        if self.name in self._known.asynchronous:
            item.is_async = True
        return item


class CallTable:
    """The tool calls of one reply, by ID and by index.

    Known variants of backends: no index; index 0 for every parallel call; ID and name in each delta, or only
    in the first; a late ID; a new ID in each delta; one ID for all calls; a complete call in one delta; white
    space after the arguments.
    """

    def __init__(self) -> None:
        self._calls: list[CallBuilder] = []
        self._by_index: dict[int, CallBuilder] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def find(self, delta: ToolCallDelta, name: str | None, arguments: str) -> CallBuilder | None:
        """Return the call that `delta` continues, or None if it begins another one."""
        has_arguments = bool(arguments) and not arguments.isspace()
        known = self._by_id(delta.id)
        if known is not None and self._may_have(known, delta.index):
            return None if has_arguments and known.has_whole_arguments() else known
        call = self._candidate(delta.index)
        if call is None:
            return None
        is_named_otherwise = bool(name) and name != call.name
        if delta.id and call.call_id is not None:
            is_another = (
                is_named_otherwise
                or (delta.index is None and (bool(name) or not has_arguments))
                or ((bool(name) or has_arguments) and call.has_whole_arguments())
            )
        else:
            is_another = bool(name) and (has_arguments or is_named_otherwise) and call.has_whole_arguments()
        return None if is_another else call

    def add(self, call: CallBuilder, index: int | None) -> None:
        """Register a new call."""
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call

    def free_id(self, call_id: str | None) -> str | None:
        """Return the ID, or None if another call has it."""
        return call_id if call_id and self._by_id(call_id) is None else None

    def has_nameless(self) -> bool:
        """Return whether a call has no function name."""
        return any(not call.name for call in self._calls)

    def _by_id(self, call_id: str | None) -> CallBuilder | None:
        if not call_id:
            return None
        return next((call for call in self._calls if call.call_id == call_id), None)

    def _may_have(self, call: CallBuilder, index: int | None) -> bool:
        """Return whether a delta with this index can belong to `call`, which has its ID."""
        return index is None or self._by_index.get(index) is call or call not in self._by_index.values()

    def _candidate(self, index: int | None) -> CallBuilder | None:
        if index is not None:
            return self._by_index.get(index)
        return self._calls[-1] if self._calls else None


def number_calls(calls: Iterable[ToolCallDelta]) -> None:
    """Assign indexes to the calls of a non-streaming message, which may repeat an ID."""
    for position, call in enumerate(calls):
        call.index = position

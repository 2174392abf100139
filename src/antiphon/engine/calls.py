"""Which tool call a delta belongs to: backends number, name and repeat them in their own ways."""

from antiphon.engine.reply.tool_calls import CallBuilder
from antiphon.wire.chat import ToolCallDelta


class CallTable:
    """The tool calls of one reply, by id and by index.

    Seen in the field: the index left out; the index 0 for every parallel call; id and name repeated in each
    delta, or only in the first; the id sent late; a fresh id in each delta; one id for all calls; whole calls
    in one delta; white space after the arguments.
    """

    def __init__(self) -> None:
        self._calls: list[CallBuilder] = []
        self._by_index: dict[int, CallBuilder] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def find(self, delta: ToolCallDelta, name: str | None, arguments: str) -> CallBuilder | None:
        """Returns the call that `delta` continues, or None if it begins another."""
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
        """Registers a new call."""
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call

    def free_id(self, call_id: str | None) -> str | None:
        """Returns the id if no call has it."""
        return call_id if call_id and self._by_id(call_id) is None else None

    def has_nameless(self) -> bool:
        """Whether the backend left a call without the name of a function."""
        return any(not call.name for call in self._calls)

    def _by_id(self, call_id: str | None) -> CallBuilder | None:
        if not call_id:
            return None
        return next((call for call in self._calls if call.call_id == call_id), None)

    def _may_have(self, call: CallBuilder, index: int | None) -> bool:
        """Whether a delta with this index may belong to `call`, whose id it has."""
        return index is None or self._by_index.get(index) is call or call not in self._by_index.values()

    def _candidate(self, index: int | None) -> CallBuilder | None:
        if index is not None:
            return self._by_index.get(index)
        return self._calls[-1] if self._calls else None

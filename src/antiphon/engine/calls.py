"""Which tool call a delta belongs to: backends number, name and repeat them in their own ways."""

from antiphon.engine.builders import FunctionCallBuilder
from antiphon.wire.chat import ToolCallDelta


class CallTable:
    """The tool calls of one reply, by id and by index.

    Seen in the field: the index left out; the index 0 for every parallel call; id and name repeated in each
    delta, or only in the first; the id sent late; a fresh id in each delta; whole calls in one delta.
    """

    def __init__(self) -> None:
        self._calls: list[FunctionCallBuilder] = []
        self._by_index: dict[int, FunctionCallBuilder] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def find(self, delta: ToolCallDelta, name: str | None, arguments: str) -> FunctionCallBuilder | None:
        """Returns the call that `delta` continues, or None if it begins another."""
        known = self._by_id(delta.id)
        if known is not None:
            return None if arguments and known.is_whole() else known
        call = self._candidate(delta.index)
        if call is None:
            return None
        if delta.id and call.call_id is not None:
            is_another = delta.index is None or call.is_whole() or bool(name and name != call.name)
        else:
            is_another = bool(name and (arguments or name != call.name) and call.is_whole())
        return None if is_another else call

    def add(self, call: FunctionCallBuilder, delta: ToolCallDelta) -> str | None:
        """Registers a new call; returns the id it may use, None where its own is missing or taken."""
        call_id = delta.id if delta.id and self._by_id(delta.id) is None else None
        self._calls.append(call)
        if delta.index is not None:
            self._by_index[delta.index] = call
        return call_id

    def _by_id(self, call_id: str | None) -> FunctionCallBuilder | None:
        if not call_id:
            return None
        return next((call for call in self._calls if call.call_id == call_id), None)

    def _candidate(self, index: int | None) -> FunctionCallBuilder | None:
        if index is not None:
            return self._by_index.get(index)
        return self._calls[-1] if self._calls else None

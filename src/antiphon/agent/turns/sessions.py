"""Function calls in sessions that still lack their outputs."""

from collections.abc import Sequence

from antiphon.wire.json import JSONObject


class Unanswered:
    """Outputs that the next turn of a session sends first.

    A server rejects the next request of a conversation while a function call lacks its output. A turn that
    fails or is cancelled between the call and the next response leaves such calls.
    """

    def __init__(self) -> None:
        self._outputs: dict[str, list[JSONObject]] = {}

    def take(self, session: str | None) -> Sequence[JSONObject]:
        """Return and forget the outputs of a session."""
        return self._outputs.pop(session, []) if session is not None else []

    def keep(self, session: str | None, outputs: list[JSONObject]) -> None:
        """Keep the outputs of a session for its next turn."""
        if session is not None and outputs:
            self._outputs[session] = outputs

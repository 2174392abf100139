"""Replay: a chat model that answers from recordings and opens no connection."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from antiphon.config import Capabilities
from antiphon.engine.ports import Call, ResolvedModel
from antiphon.errors import ConfigError, NotFound, RecordingNotFound, UpstreamError, UpstreamRefused
from antiphon.recording.calls import DEFAULT_SCOPE, RecordedCall, RecordedError
from antiphon.recording.canonical import canonical_key, canonical_request
from antiphon.recording.explain import describe_differences, nearest, printable
from antiphon.recording.llama_stack import Collection, read_directory
from antiphon.recording.replies import fold_chunks, unfold_reply
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSONObject
from antiphon.wire.models import Model, ModelList

_NAMED = 5
"""How many files or models a message names; the rest is counted."""


class Player:
    """A `ChatModel` over recorded calls: the request's canonical key says which one answers.

    Of several recordings with one key the first that is not stale always answers, or else the first;
    `calls` come in the order of their files' names.
    """

    def __init__(self, calls: Sequence[RecordedCall]) -> None:
        found: defaultdict[str, list[RecordedCall]] = defaultdict(list)
        for call in calls:
            found[call.key].append(call)
        self._calls = {key: _first(group) for key, group in found.items()}

    @property
    def capabilities(self) -> Capabilities:
        """Everything, so that requests are worded as for OpenAI; recorded text is never taken for tags."""
        return Capabilities(think_tags=False)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yields the recorded chunks, each alone; raises `RecordingNotFound`, or the recorded error."""
        call = self.find(request)
        if call.streamed:
            chunks = call.payloads()
        else:
            options = request.get("stream_options")
            include_usage = isinstance(options, dict) and options.get("include_usage") is True
            chunks = unfold_reply(call.payloads()[0], include_usage=include_usage)
        for chunk in chunks:
            yield [chunk]
            await asyncio.sleep(0)  # No read ever waits here, and others want to run between two chunks.

    async def complete(self, request: ChatRequest) -> bytes:
        """Returns the recorded reply; raises `RecordingNotFound`, or the recorded error."""
        call = self.find(request)
        return fold_chunks(call.payloads()) if call.streamed else call.payloads()[0]

    def find(self, request: ChatRequest) -> RecordedCall:
        """Finds the recording of an answer; raises `RecordingNotFound`, or the recorded error."""
        try:
            canonical = canonical_request({**request})
            call = self._calls.get(canonical_key(canonical))
            if call is None:
                raise RecordingNotFound(self._explain(canonical))
        except RecursionError:
            raise RecordingNotFound("No recording answers this call: it is nested too deeply.") from None
        if call.error is not None:
            raise _raised(call.error)
        return call

    def _explain(self, asked: JSONObject) -> str:
        miss = f"No recording answers this call to {printable(str(asked.get('model')))}."
        calls = list(self._calls.values())
        canonical = [canonical_request(call.request) for call in calls]
        position = nearest(asked, canonical)
        if position is None:
            return miss
        scope = calls[position].scope
        test = "" if scope == DEFAULT_SCOPE else f" ({printable(scope)})"
        differences = describe_differences(asked, canonical[position])
        return f"{miss} The nearest is {printable(calls[position].name)}{test}. They differ:\n{differences}"


class PlayerCatalogue:
    """The models that a collection of recordings can answer for."""

    def __init__(self, collection: Collection) -> None:
        """Raises `ConfigError` when the collection answers no chat request at all."""
        calls = [call for call in collection.calls if call.kind == "chat"]
        self._names = sorted({name for call in calls if isinstance(name := call.request.get("model"), str)})
        if not self._names:
            problems = "".join(f"\n  {printable(line)}" for line in _named(collection.problems))
            raise ConfigError(f"{collection.directory}: no recorded chat completions{problems}")
        self._player = Player(calls)
        self._notices = [
            f"replaying {len(calls)} model calls from {collection.directory}",
            *(f"unreadable: {printable(line)}" for line in _named(collection.problems)),
        ]

    @classmethod
    def open(cls, directory: Path) -> "PlayerCatalogue":
        """Reads a directory of recordings; raises `ConfigError` when it is none or answers nothing."""
        return cls(read_directory(directory))

    async def resolve(self, model_id: str, call: Call) -> ResolvedModel:
        """Finds a recorded model by its id, or by its id without the first segment (`openai/gpt-4o`)."""
        for name in (model_id, model_id.partition("/")[2]):
            if name in self._names:
                return ResolvedModel(chat_model=self._player, name=name, id=model_id)
        raise NotFound(
            f"The model '{model_id}' is not recorded. Recorded are: {', '.join(_named(self._names))}.",
            code="model_not_found",
            param="model",
        )

    async def list_models(self) -> ModelList:
        """Returns the recorded models, sorted by id."""
        return ModelList(data=[Model(id=name, owned_by="recording") for name in self._names])

    def notices(self) -> list[str]:
        """Returns lines for the operator: what is replayed, and which files could not be read."""
        return self._notices

    async def close(self) -> None:
        """Has nothing to close."""


def _first(group: list[RecordedCall]) -> RecordedCall:
    return next((call for call in group if not call.stale), group[0])


def _raised(error: RecordedError) -> UpstreamError:
    body = error.body if isinstance(error.body, dict) else {}
    message, code, param = (
        value if isinstance(value := body.get(name), str) else None for name in ("message", "code", "param")
    )
    message = message or error.message or "The recorded call failed without a message."
    if error.status_code is not None and 400 <= error.status_code < 600:
        return UpstreamRefused(message, upstream_status=error.status_code, code=code, param=param)
    return UpstreamError(message)


def _named(names: list[str]) -> list[str]:
    more = len(names) - _NAMED
    return names if more <= 0 else [*names[:_NAMED], f"and {more} more"]

"""Lookup of recordings for requests, with notes to the observer and the hit log."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from antiphon.engine.request_context import RequestContext
from antiphon.engine.slices import SLICE, in_thread
from antiphon.errors import RecordingNotFound
from antiphon.recording.calls.endpoints import is_for_vector_store
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.matching.chats import Hit, Miss
from antiphon.recording.matching.nearest import Explanation, explain_miss
from antiphon.recording.seam.history import History
from antiphon.settings.backends import Capabilities
from antiphon.wire.json import JSONObject

DEFAULT_CAPABILITIES = Capabilities(think_tags=False)
"""Capabilities of a recorded model without recorded ones: those of OpenAI's models."""
_UNEXPLAINED = Explanation("", None)
"""Explanation of a miss whose call is made instead."""


class RecordingLookup:
    """Lookup of recordings for requests.

    Hits and misses are reported to the observer of the request.
    """

    def __init__(self, collection: Collection, *, speed: float = 0.0, hit_log: Path | None = None) -> None:
        """Create the lookup.

        Args:
            collection: The recordings.
            speed: Speed of playback; 0 for no wait, 1 for the recorded speed.
            hit_log: File to which each hit appends a line.
        """
        self.collection = collection
        self.speed = speed
        self._hit_log = hit_log
        self.history = History()
        """Recent hits and misses."""

    async def find(
        self, request: JSONObject, context: RequestContext, backend: str = ""
    ) -> RecordedCall | None:
        """Return the recording that answers a chat request, or None.

        If several recordings match, those of `backend` have priority.

        Raises:
            RecordingNotFound: The request is nested too deeply to be compared.
        """
        async with self.collection.lock:
            found = await self._chat(request, context, backend)
        if isinstance(found, Hit):
            return self._report_hit(found, context)
        self._report_miss(context)
        return None

    async def get(self, request: JSONObject, context: RequestContext, backend: str = "") -> RecordedCall:
        """Return the recording that answers a chat request, as `find` does.

        Raises:
            RecordingNotFound: No recording answers; the message shows the nearest one.
        """
        async with self.collection.lock:
            found = await self._chat(request, context, backend)
            if isinstance(found, Hit):
                return self._report_hit(found, context)
            explained = await in_thread(lambda: self._explain_chat(found, context.scope))
        self._report_miss(context, explained)
        raise RecordingNotFound(explained.message)

    async def find_result(
        self, provider: str, name: str, arguments: JSONObject, context: RequestContext
    ) -> RecordedCall | None:
        """Return the recording that answers a tool call, or None.

        Raises:
            RecordingNotFound: The arguments are nested too deeply to be compared.
        """
        async with self.collection.lock:
            found = await self._tool(provider, name, arguments, context)
        if isinstance(found, Hit):
            return self._report_hit(found, context)
        self._report_miss(context)
        return None

    async def get_result(
        self, provider: str, name: str, arguments: JSONObject, context: RequestContext
    ) -> RecordedCall:
        """Return the recording that answers a tool call.

        Raises:
            RecordingNotFound: No recording answers; the message shows the nearest one.
        """
        async with self.collection.lock:
            found = await self._tool(provider, name, arguments, context)
            if isinstance(found, Hit):
                return self._report_hit(found, context)
            if found.failure is not None:
                failed = (
                    "No recording answers this call, because the recorded web search failed: "
                    f"{found.failure}. Record it again, or replay the failure with the setting "
                    "`replay_failures`."
                )
                self._report_miss(context, Explanation(failed, None))
                raise RecordingNotFound(failed)
            explained = await in_thread(lambda: self._explain_tool(found))
            has_model = self._has_call_of(name)
        self._report_miss(context, explained)
        raise RecordingNotFound(explained.message, has_model=has_model)

    def recorded_model(self, model_id: str) -> tuple[str, str]:
        """Return the recorded name of a model, and its backend or an empty string.

        The name is `model_id`, or `model_id` without its first segment if only that is recorded.
        """
        backend, _, name = model_id.partition("/")
        models = self.collection.chat_models
        return (name, backend) if model_id not in models and name in models else (model_id, "")

    def has_model(self, model_id: str) -> bool:
        """Return whether a model is recorded, by its id or without the first segment."""
        collection, name = self.collection, model_id.partition("/")[2]
        return any(
            each in models
            for each in (model_id, name)
            for models in (collection.chat_models, collection.endpoint_models)
        )

    async def embedding_model(self, scope: str) -> str | None:
        """Return the id of the model whose embeddings for vector stores are recorded in a scope.

        None without such recordings, or with several models. llama-stack's recordings don't count, because
        its chunks differ.
        """
        async with self.collection.lock:
            await self.collection.load(scope)
            models = self._embedding_models(scope)
        return next(iter(models)) if len(models) == 1 else None

    def _embedding_models(self, scope: str) -> set[str]:
        return {
            f"{call.backend or ''}/{call.request.get('model')}".removeprefix("/")
            for call in (entry.call for entry in self.collection.tools.entries)
            if call.scope == scope and not call.named_by_hash and is_for_vector_store(call)
        }

    def _has_call_of(self, model_id: str) -> bool:
        """Return whether calls of a model are recorded at endpoints other than chats.

        The id may have the name of a backend before it. llama-stack's recordings don't count, because its
        chunks differ.
        """
        names = (model_id, model_id.partition("/")[2])
        calls = (entry.call for entry in self.collection.tools.entries)
        return any(call.request.get("model") in names and not call.named_by_hash for call in calls)

    def capabilities(self, model: str, backend: str = "") -> Capabilities:
        """Return the recorded capabilities of a model's backend, or the default.

        If the model was recorded at several backends: those of `backend`, else of the first one.
        """
        switches = self.collection.chat_models.get(model)
        if switches is None:
            return DEFAULT_CAPABILITIES
        metadata = switches.get(backend, next(iter(switches.values())))
        try:
            return msgspec.convert({**msgspec.structs.asdict(DEFAULT_CAPABILITIES), **metadata}, Capabilities)
        except msgspec.ValidationError:  # A later version can write other switches.
            return DEFAULT_CAPABILITIES

    async def _chat(self, request: JSONObject, context: RequestContext, backend: str) -> Hit | Miss:
        collection, scope = self.collection, context.scope
        messages = request.get("messages")
        is_long = isinstance(messages, list) and len(messages) > SLICE
        await collection.load(scope)
        try:
            if not (collection.is_loaded or collection.chats.has_own(request, scope)):
                await collection.load_rest()
            return await self._search(lambda: collection.chats.find(request, scope, backend), is_long)
        except RecursionError:
            raise _too_deep(context) from None

    async def _tool(
        self, provider: str, name: str, arguments: JSONObject, context: RequestContext
    ) -> Hit | Miss:
        collection, scope = self.collection, context.scope
        await collection.load(scope)
        try:
            if not (collection.is_loaded or collection.tools.has_own(provider, name, arguments, scope)):
                await collection.load_rest()
            return await self._search(lambda: collection.tools.find(provider, name, arguments, scope))
        except RecursionError:
            raise _too_deep(context) from None

    async def _search(self, search: Callable[[], Hit | Miss], is_long: bool = False) -> Hit | Miss:
        """Return the result of a search, in a thread if it can take long."""
        return await in_thread(search) if is_long or self.collection.is_large else search()

    def _explain_chat(self, miss: Miss, scope: str) -> Explanation:
        likely = self.collection.chats.likely(miss.canonical, scope)
        return explain_miss(miss.canonical, [(entry.call, entry.canonical) for entry in likely], miss.used)

    def _explain_tool(self, miss: Miss) -> Explanation:
        return explain_miss(miss.canonical, self.collection.tools.alike(miss.canonical), miss.used)

    def _report_hit(self, found: Hit, context: RequestContext) -> RecordedCall:
        context.observer.hit(found.how, found.call.name, found.rules)
        self.history.add_hit(found, context.scope)
        if self._hit_log is not None:
            line = {
                "file": found.call.file,
                "call": found.call.number,
                "scope": context.scope,
                "how": found.how,
            }
            with self._hit_log.open("ab") as log:
                log.write(msgspec.json.encode(line) + b"\n")
        return found.call

    def _report_miss(self, context: RequestContext, explained: Explanation = _UNEXPLAINED) -> None:
        context.observer.missed(explained.difference)
        self.history.add_miss(explained.message, context.scope)


def _too_deep(context: RequestContext) -> RecordingNotFound:
    context.observer.missed(None)
    return RecordingNotFound("No recording answers this call, because it is nested too deeply.")

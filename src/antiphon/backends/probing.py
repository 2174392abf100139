"""Detection of embedding servers among the servers that discovery found."""

import asyncio
from collections.abc import Collection

from antiphon.backends.chat_model import HttpChatModel
from antiphon.errors import AntiphonError, UpstreamTimeout, UpstreamUnreachable
from antiphon.settings.backends import FOUND, BackendSettings, Kind

_TIMEOUT = 3.0
"""Time limit in seconds for one embedding."""
_KINDS: frozenset[Kind] = frozenset({"vllm", "llamacpp", "other"})
"""Kinds whose servers have loaded what they list; Ollama and LM Studio would load a model to answer."""


class EmbeddingProbe:
    """A request that shows whether the only model of a discovered server computes embeddings.

    Model lists don't contain this. A server of chat models rejects the request at once. Configured backends
    receive no such request, because it may cost money there.
    """

    def __init__(self, model: HttpChatModel, backend: BackendSettings) -> None:
        self._model = model
        self._is_local = backend.origin == FOUND and backend.kind in _KINDS
        self._known: dict[str, bool] = {}

    async def embeds(self, names: Collection[str]) -> bool | None:
        """Return whether the only one of `names` computes embeddings; None if unknown."""
        if not self._is_local or len(names) != 1:
            return None
        [name] = names
        if name not in self._known:
            answer = await self._ask(name)
            if answer is None:
                return None
            self._known = {name: answer}
        return self._known[name]

    async def _ask(self, name: str) -> bool | None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._model.ask("embeddings", {"model": name, "input": "a"})
        except (TimeoutError, UpstreamTimeout, UpstreamUnreachable):
            return None
        except AntiphonError:
            return False
        return True

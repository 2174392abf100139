"""Use cases of the endpoints that are proxied to backends."""

from dataclasses import dataclass
from typing import Self

from antiphon.engine.ports import ModelCatalogue
from antiphon.service.embeddings import Embeddings
from antiphon.service.moderation.moderator import Moderator
from antiphon.service.passthrough.chat import ChatCompletions
from antiphon.service.passthrough.completions import Completions


@dataclass(frozen=True, kw_only=True)
class Proxied:
    """The use cases of the endpoints that are proxied to backends."""

    chat: ChatCompletions
    """Chat completions."""
    completions: Completions
    """Text completions and moderations."""
    embeddings: Embeddings
    """Embeddings."""

    @classmethod
    def open(cls, catalogue: ModelCatalogue, moderator: Moderator) -> Self:
        """Return the use cases over one catalogue."""
        return cls(
            chat=ChatCompletions(catalogue, moderator),
            completions=Completions(catalogue, moderator),
            embeddings=Embeddings(catalogue),
        )

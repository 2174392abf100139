"""Use cases of the endpoints that are proxied to backends."""

from dataclasses import dataclass
from typing import Self

from antiphon.engine.ports import ModelCatalogue
from antiphon.service.embeddings import Embeddings
from antiphon.service.moderation.moderator import Moderator
from antiphon.service.passthrough.chat import ChatCompletions
from antiphon.service.passthrough.completions import Completions
from antiphon.service.passthrough.stored import StoredCompletions
from antiphon.settings.moderation import ModerationSettings
from antiphon.store import Store


@dataclass(frozen=True, kw_only=True)
class Proxied:
    """The use cases of the endpoints that are proxied to backends."""

    chat: ChatCompletions
    """Chat completions."""
    completions: Completions
    """Text completions and moderations."""
    embeddings: Embeddings
    """Embeddings."""

    moderator: Moderator
    """Moderation, also of responses."""

    @classmethod
    def open(
        cls, store: Store, catalogue: ModelCatalogue, moderation: ModerationSettings | None = None
    ) -> Self:
        """Return the use cases over one catalogue; `moderation` has the checks, if there are any."""
        moderator = Moderator(catalogue, moderation)
        return cls(
            chat=ChatCompletions(catalogue, StoredCompletions(store.completions), moderator),
            completions=Completions(catalogue, moderator),
            embeddings=Embeddings(catalogue),
            moderator=moderator,
        )

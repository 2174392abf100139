"""Settings that a context changes with its `configuration_update` items."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from antiphon.engine.sealed import Sealed
from antiphon.wire.configuration import ConfigurationUpdate
from antiphon.wire.items import Compaction, Item
from antiphon.wire.responses import CreateResponse, ReasoningConfig, TextConfig


def configuration_of(items: Sequence[Item], sealed: Sealed) -> ConfigurationUpdate | None:
    """Return the settings that the items have changed, as one update; None without a change.

    Raises:
        InvalidEncryptedContent: This server cannot decrypt a compaction for this owner.
    """
    found: ConfigurationUpdate | None = None
    for item in items:
        update = item if isinstance(item, ConfigurationUpdate) else None
        if isinstance(item, Compaction):
            update = sealed.compaction(item).configuration
        if update is None:
            continue
        found = found or ConfigurationUpdate()
        if update.reasoning and update.reasoning.effort is not UNSET:
            found.reasoning = update.reasoning
        if update.text:
            found.text = update.text
    return found


def configured(request: CreateResponse, items: Sequence[Item], sealed: Sealed) -> CreateResponse:
    """Return the request with the settings that its context has changed.

    They take precedence over the request's own, which the response shows.

    Raises:
        InvalidEncryptedContent: This server cannot decrypt a compaction for this owner.
    """
    update = configuration_of(items, sealed)
    if update is None:
        return request
    reasoning, text = request.reasoning, request.text
    if update.reasoning and update.reasoning.effort not in (None, UNSET):
        effort = update.reasoning.effort
        reasoning = msgspec.structs.replace(reasoning or ReasoningConfig(), effort=effort)
    if update.text:
        text = msgspec.structs.replace(text or TextConfig(), format=update.text.format)
    return msgspec.structs.replace(request, reasoning=reasoning, text=text)

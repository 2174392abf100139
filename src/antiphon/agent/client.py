"""Parts of a client library that an agent calls, such as those of openai-python."""

import inspect
from collections.abc import Callable
from typing import Protocol

from antiphon.wire.json import JSON


class ResponsesClient(Protocol):
    """Responses of a client, with or without `async`."""

    @property
    def create(self) -> Callable[..., JSON]:
        """Create a response."""

    @property
    def retrieve(self) -> Callable[..., JSON]:
        """Retrieve a response, or the rest of its stream."""

    @property
    def cancel(self) -> Callable[..., JSON]:
        """Cancel a background response."""


class ConversationsClient(Protocol):
    """Conversations of a client, with or without `async`."""

    @property
    def create(self) -> Callable[..., JSON]:
        """Create a conversation."""


class Client(Protocol):
    """Client of a Responses server."""

    @property
    def responses(self) -> ResponsesClient:
        """Responses."""

    @property
    def conversations(self) -> ConversationsClient:
        """Conversations."""


def is_async(client: Client) -> bool:
    """Return whether a client is asynchronous."""
    # llama-stack's clients have a function that is not a coroutine function around one that is.
    return inspect.iscoroutinefunction(inspect.unwrap(client.responses.create))

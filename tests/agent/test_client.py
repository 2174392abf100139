"""Kinds of clients."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from antiphon.agent.client import is_async
from antiphon.wire.json import JSON
from tests.agent.scripted import Script


async def create() -> None:
    """Create nothing, asynchronously."""


def plain() -> None:
    """Create nothing."""


def wrapped(function: Callable[[], object]) -> Callable[[], object]:
    """Return a function that checks its arguments, as those of llama-stack's clients do."""

    @functools.wraps(function)
    def checked() -> object:
        return function()

    return checked


@dataclass
class Resource:
    create: Callable[..., JSON]
    retrieve: Callable[..., JSON] = plain
    cancel: Callable[..., JSON] = plain


@dataclass
class Other:
    responses: Resource
    conversations: Resource = field(default_factory=lambda: Resource(plain))


@pytest.mark.parametrize(
    ("function", "expected"),
    [(create, True), (plain, False), (wrapped(create), True), (wrapped(plain), False)],
)
def test_the_function_inside_a_wrapper_counts(function: Callable[..., JSON], expected: bool) -> None:
    assert is_async(Other(Resource(function))) is expected


def test_openais_clients_are_of_their_kinds() -> None:
    assert not is_async(Script().client())
    assert is_async(Script().async_client())

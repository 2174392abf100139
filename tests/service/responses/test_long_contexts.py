"""Requests with a long context leave the event loop to others."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
import pytest

from antiphon.decode import bodies
from antiphon.engine.request import messages
from antiphon.engine.slices import SLICE
from antiphon.service import items as item_forms
from antiphon.service.items import decode_item, new_item
from antiphon.service.responses import gather, tokens
from antiphon.service.responses.input_files import _attachments
from antiphon.service.responses.input_urls import judge_urls
from antiphon.wire.content import InputImage
from antiphon.wire.items import Item, Message
from antiphon.wire.json import JSONObject
from tests.service.world import World, user

A = TypeVar("A")
R = TypeVar("R")
MANY = 5 * SLICE


class LoopWatch:
    """The turns of the event loop, and how many items each kind of work treats in one of them."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[int]] = {}
        self._turn = 0

    async def run(self, work: Awaitable[R]) -> R:
        """Count the turns of the loop while a coroutine runs."""
        counting = asyncio.create_task(self._count())
        try:
            return await work
        finally:
            counting.cancel()

    async def _count(self) -> None:
        while True:
            self._turn += 1
            await asyncio.sleep(0)

    def counted(self, name: str, work: Callable[[A], R]) -> Callable[[A], R]:
        """Return `work`, which notes the turn of each call."""
        counts = self.counts[name] = Counter()

        def noted(argument: A) -> R:
            counts[self._turn] += 1
            return work(argument)

        return noted


@contextmanager
def turns(patch: pytest.MonkeyPatch) -> Iterator[LoopWatch]:
    """Watches the work on items until the block ends."""
    watch = LoopWatch()
    item_of = messages._Translation._item

    def noted(translation: messages._Translation, item: Item) -> None:
        translate(lambda: item_of(translation, item))

    def call(work: Callable[[], None]) -> None:
        work()

    translate = watch.counted("translate", call)
    with patch.context() as patched:
        patched.setattr(gather, "decode_item", watch.counted("decode", decode_item))
        patched.setattr(gather, "new_item", watch.counted("store", new_item))
        patched.setattr(tokens, "_message_tokens", watch.counted("count", tokens._message_tokens))
        patched.setattr(messages._Translation, "_item", noted)
        yield watch


def check(watch: LoopWatch, **items: int) -> None:
    """Check how many items the work treated: all, at most a slice in a turn."""
    for name, count in items.items():
        assert watch.counts[name].total() == count
        assert max(watch.counts[name].values()) <= SLICE


def conversation(world: World) -> str:
    """Create a conversation of many items."""
    items = [user(f"number {number}") for number in range(MANY)]
    conversation_id = world.begin()
    for start in range(0, MANY, 20):
        world.add(conversation_id, *items[start : start + 20])
    return conversation_id


def request(**fields: object) -> bytes:
    return msgspec.json.encode({"model": "up/m", **fields})


@pytest.mark.parametrize("chained", [False, True])
def test_others_are_served_while_a_long_context_is_prepared(
    world: World, monkeypatch: pytest.MonkeyPatch, chained: bool
) -> None:
    if chained:
        first = world.respond([user(f"number {number}") for number in range(MANY)])
        where: JSONObject = {"previous_response_id": first["id"]}
    else:
        where = {"conversation": conversation(world)}
    with turns(monkeypatch) as watch:
        world.run(watch.run(world.prepare(input="And now?", **where)))
    check(watch, decode=MANY + chained, translate=MANY + chained + 1)


def test_others_are_served_while_a_long_input_is_prepared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [user(f"number {number}") for number in range(MANY)]
    with turns(monkeypatch) as watch:
        world.run(watch.run(world.prepare(input=given)))
    check(watch, store=MANY, translate=MANY)


def test_others_are_served_while_the_tokens_of_a_long_context_are_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = bodies.count_input_tokens.decode(request(conversation=conversation(world), input="And now?"))
    with turns(monkeypatch) as watch:
        counted = world.run(watch.run(world.responses.count_input_tokens(world._context(), body)))
    assert counted.input_tokens > 4 * MANY
    check(watch, decode=MANY, translate=MANY + 1, count=MANY + 1)


@pytest.mark.parametrize("name", ["attachments", "URLs"])
def test_others_are_served_while_the_contents_of_a_long_context_are_visited(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    image = InputImage(image_url="https://example.com/a.png")
    context: list[Item] = [Message(role="user", content=[image]) for _ in range(MANY)]
    judged: list[tuple[str, str]] = []

    async def judge(url: str, path: str) -> None:
        judged.append((url, path))

    async def visit() -> None:
        if name == "URLs":
            await judge_urls(judge, [], context, [])
        else:
            assert [part for part, _ in await _attachments(context, None)] == [image] * MANY

    watch = LoopWatch()
    monkeypatch.setattr(item_forms, "content_parts", watch.counted("visit", item_forms.content_parts))
    asyncio.run(watch.run(visit()))
    check(watch, visit=MANY)
    assert judged == ([("https://example.com/a.png", "input.image_url")] if name == "URLs" else [])

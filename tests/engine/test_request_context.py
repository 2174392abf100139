"""The context of a request, stored for work that outlives it."""

from antiphon.engine.behavior import Behavior
from antiphon.engine.request_context import RequestContext, StoredContext
from tests.engine.replies import counted_ids
from tests.engine.seals import OpenSeal


def test_an_execution_has_the_context_of_its_request() -> None:
    behavior = Behavior(drops_repeated_messages=True)
    request = RequestContext(owner="me", scope="test", mode="replay", faults="drop", behavior=behavior)
    spent: list[int] = []
    ids, seal = counted_ids(), OpenSeal()
    restored = StoredContext.of(request, "alice").restored("me", ids, seal, spent.append)
    assert (restored.owner, restored.scope, restored.mode, restored.faults) == (
        "me",
        "test",
        "replay",
        "drop",
    )
    assert (restored.behavior, restored.key, restored.ids, restored.seal) == (behavior, "alice", ids, seal)
    assert restored.spend is not None
    restored.spend(7)
    assert spent == [7]
    assert StoredContext.of(request, None).trace == {}

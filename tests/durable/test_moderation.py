"""Moderated background responses whose server crashes: the texts are judged again, but not written again."""

from collections.abc import Sequence

import pytest

from antiphon.durable import log
from antiphon.engine.request_context import RequestContext
from antiphon.service.moderation.checks import WordsCheck
from antiphon.settings.moderation import CheckSettings, ModerationSettings
from antiphon.store import Store
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.moderation import ModerationResult
from antiphon.wire.responses import CreateResponse
from tests.durable.crashing import ID, HarmlessTool, Servers
from tests.durable.test_crashes import crash
from tests.service.world import ME
from tests.store.conftest import Run

BLOCK: JSONObject = {"input": {"mode": "block"}, "output": {"mode": "block"}}


class Moderated(Servers):
    """Servers whose requests have a check that blocks a word."""

    def __init__(self, store: Store, word: str) -> None:
        self.moderation = ModerationSettings(checks={"words": CheckSettings(kind="words", words=(word,))})
        super().__init__(store, HarmlessTool())

    def request(self, **changes: JSON) -> CreateResponse:
        return super().request(moderation={"model": "words", "policy": BLOCK}, **changes)


@pytest.fixture(autouse=True)
def small_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write each event at once, so that nothing of a crashed execution is still due."""
    monkeypatch.setattr(log, "_MANY", 1)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[JSONObject]]:
    """Return the list of what is judged from now on."""
    found: list[Sequence[JSONObject]] = []
    original = WordsCheck.judge

    async def judge(
        self: WordsCheck, parts: Sequence[JSONObject], context: RequestContext
    ) -> ModerationResult:
        found.append(parts)
        return await original(self, parts, context)

    monkeypatch.setattr(WordsCheck, "judge", judge)
    return found


@pytest.mark.parametrize(("word", "ending"), [("never", "completed"), ("done", "incomplete")])
def test_a_crash_repeats_the_judgments_and_no_call_of_the_model(
    store: Store, run: Run, judged: list[Sequence[JSONObject]], word: str, ending: str
) -> None:
    async def scenario() -> None:
        servers = Moderated(store, word)
        await servers.submit()
        await servers.go_on()
        expected, whole = (await servers.events())[-1]["response"], [*judged]
        assert (expected["status"], len(whole)) == (ending, 4)
        assert await store.responses.delete(ME, ID)
        at, kept, has_crashed = 0, 0, True
        while has_crashed:
            at += 1
            await servers.submit()
            has_crashed = await crash(servers, at, is_committed=True)
            if (again := await servers.next()) is not None:
                judged.clear()
                before = servers.model.rounds.copy()
                await servers.go_on(again)
                assert judged == whole
                finished = [int(step[6:]) for step in again.steps if step.startswith("model:")]
                assert [servers.model.rounds[number] - before[number] for number in finished] == [
                    0 for _ in finished
                ]
                kept += len(finished)
            response = (await servers.events())[-1]["response"]
            assert response["status"] == ending
            assert response["moderation"] == expected["moderation"]
            assert word not in str(response["output"])
            assert await store.responses.delete(ME, ID)
        assert kept >= 3

    run(scenario())

from antiphon.service.log.timeline import StepView
from antiphon.viewer.timeline import waterfall
from antiphon.wire.log import LoggedError, LoggedUsage

STEPS = [
    StepView(
        number=1,
        kind="model",
        name="up/m",
        at=0.0,
        seconds=1.0,
        call=1,
        first=0.25,
        finish="tool_calls",
        usage=LoggedUsage(input=10, output=5, cached=3, reasoning=2),
        retries=["upstream_error"],
        is_kept=True,
    ),
    StepView(number=2, kind="tool", name="web_search", at=1.0, seconds=0.5, is_approved=True, failed=True),
    StepView(
        number=3,
        kind="model",
        name="up/m",
        at=1.5,
        seconds=0.5,
        purpose="compaction",
        error=LoggedError(type="server_error", code="upstream_error", message="No."),
        failed=True,
    ),
]


def test_steps_have_their_place_in_the_time_of_the_response() -> None:
    found = waterfall(STEPS, 2.0, 7)
    assert (found.seconds, found.left_out) == (2.0, 7)
    assert [(bar.start, bar.width) for bar in found.bars] == [(0, 500), (500, 250), (750, 250)]
    assert [bar.waiting for bar in found.bars] == [125, 0, 0]


def test_steps_have_notes() -> None:
    first, tool, last = waterfall(STEPS, 2.0, 0).bars
    assert first.notes == [
        "10 → 5 tokens",
        "3 cached",
        "2 reasoning",
        "finish: tool_calls",
        "retries: 1 (upstream_error)",
        "from the original",
    ]
    assert tool.notes == ["approved", "failed"]
    assert (last.notes, last.error) == (["compaction"], "upstream_error: No.")


def test_short_and_late_steps_are_visible_and_inside() -> None:
    late = [
        StepView(number=1, kind="tool", name="t", at=10.0, seconds=0.0),
        StepView(number=2, kind="tool", name="t", at=-1.0, seconds=0.0),
    ]
    for bar in waterfall(late, None, 0).bars:
        assert bar.width >= 4
        assert 0 <= bar.start <= 1000 - bar.width
    assert waterfall([], None, 0).bars == []

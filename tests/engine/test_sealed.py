import pytest

from antiphon.engine.sealed import Boxes, CompactionBox, ReasoningBox
from antiphon.errors import InvalidEncryptedContent
from antiphon.wire.chat import ReasoningDetail
from antiphon.wire.items import Compaction, Item, Message, Reasoning
from tests.engine.seals import OpenSeal, boxed

BOXES = Boxes(OpenSeal(), "backend/model")


def user(text: str) -> Message:
    return Message(id=f"msg_{text}", role="user", content=text)


def compaction(content: CompactionBox) -> Compaction:
    return Compaction(id="cmp_1", encrypted_content=BOXES.seal(content))


@pytest.mark.parametrize(
    "content",
    [
        ReasoningBox("m"),
        ReasoningBox("m", "hm", [ReasoningDetail(type="reasoning.encrypted", data="QUJD", index=0)]),
    ],
)
def test_what_is_sealed_can_be_opened(content: ReasoningBox) -> None:
    assert BOXES.reasoning(Reasoning(summary=[], encrypted_content=BOXES.seal(content))) == content


@pytest.mark.parametrize("box", [None, "gAAA", boxed(type="compaction", summary="s")])
def test_reasoning_without_a_box_of_its_own(box: str | None) -> None:
    assert BOXES.reasoning(Reasoning(summary=[], encrypted_content=box)) is None


@pytest.mark.parametrize("box", ["", "gAAA", boxed(type="reasoning", source="m")])
def test_a_compaction_that_cannot_be_opened_is_refused(box: str) -> None:
    with pytest.raises(InvalidEncryptedContent) as caught:
        BOXES.context([user("a"), Compaction(id="cmp_1", encrypted_content=box)])
    assert (caught.value.code, caught.value.param) == ("invalid_encrypted_content", "input")


def test_nothing_is_opened_without_a_seal() -> None:
    boxes = Boxes()
    assert not boxes.are_sealed
    assert (
        boxes.reasoning(Reasoning(summary=[], encrypted_content=boxed(type="reasoning", source=""))) is None
    )


def test_a_compaction_with_its_messages_stands_for_all_before_it() -> None:
    latest = compaction(CompactionBox("s", [user("kept")]))
    items: list[Item] = [user("old"), compaction(CompactionBox("older", [])), user("b"), latest, user("c")]
    assert BOXES.context(items) == [user("kept"), latest, user("c")]


def test_what_stands_before_a_compaction_without_messages_stays() -> None:
    item = compaction(CompactionBox("s"))
    items: list[Item] = [user("a"), item, user("b")]
    assert BOXES.context(items) == items


def test_an_older_compaction_counts_where_the_latest_has_no_messages() -> None:
    whole, rest = compaction(CompactionBox("s", [user("kept")])), compaction(CompactionBox("t"))
    assert BOXES.context([user("old"), whole, user("b"), rest]) == [user("kept"), whole, user("b"), rest]

import pytest

from antiphon.engine.sealed import Sealed, SealedCompaction, SealedReasoning
from antiphon.errors import InvalidEncryptedContent
from antiphon.wire.chat import ReasoningDetail
from antiphon.wire.items import Compaction, Item, Message, Reasoning
from tests.engine.seals import OpenSeal, boxed

BOXES = Sealed(OpenSeal(), "backend/model")


def user(text: str) -> Message:
    return Message(id=f"msg_{text}", role="user", content=text)


def compaction(content: SealedCompaction) -> Compaction:
    return Compaction(id="cmp_1", encrypted_content=BOXES.seal(content))


@pytest.mark.parametrize(
    "content",
    [
        SealedReasoning("m"),
        SealedReasoning("m", "hm", [ReasoningDetail(type="reasoning.encrypted", data="QUJD", index=0)]),
    ],
)
def test_what_is_sealed_can_be_opened(content: SealedReasoning) -> None:
    assert BOXES.reasoning(Reasoning(summary=[], encrypted_content=BOXES.seal(content))) == content


@pytest.mark.parametrize("encrypted", [None, "gAAA", boxed(type="compaction", summary="s")])
def test_reasoning_without_encrypted_content(encrypted: str | None) -> None:
    assert BOXES.reasoning(Reasoning(summary=[], encrypted_content=encrypted)) is None


@pytest.mark.parametrize("encrypted", ["", "gAAA", boxed(type="reasoning", source="m")])
def test_a_compaction_that_cannot_be_opened_is_refused(encrypted: str) -> None:
    with pytest.raises(InvalidEncryptedContent) as caught:
        BOXES.context([user("a"), Compaction(id="cmp_1", encrypted_content=encrypted)])
    assert (caught.value.code, caught.value.param) == ("invalid_encrypted_content", "input")


def test_nothing_is_opened_without_a_seal() -> None:
    sealed = Sealed()
    assert not sealed.has_seal
    assert (
        sealed.reasoning(Reasoning(summary=[], encrypted_content=boxed(type="reasoning", source=""))) is None
    )


def test_a_compaction_with_its_messages_stands_for_all_before_it() -> None:
    latest = compaction(SealedCompaction("s", [user("kept")]))
    items: list[Item] = [user("old"), compaction(SealedCompaction("older", [])), user("b"), latest, user("c")]
    assert BOXES.context(items) == [user("kept"), latest, user("c")]


def test_what_stands_before_a_compaction_without_messages_stays() -> None:
    item = compaction(SealedCompaction("s"))
    items: list[Item] = [user("a"), item, user("b")]
    assert BOXES.context(items) == items


def test_an_older_compaction_counts_where_the_latest_has_no_messages() -> None:
    whole, rest = compaction(SealedCompaction("s", [user("kept")])), compaction(SealedCompaction("t"))
    assert BOXES.context([user("old"), whole, user("b"), rest]) == [user("kept"), whole, user("b"), rest]

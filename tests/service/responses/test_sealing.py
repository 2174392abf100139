import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.sealed import Sealed, SealedCompaction, SealedReasoning
from antiphon.errors import InvalidEncryptedContent
from antiphon.service.responses.sealing import Sealing, check_sealed, is_ours
from antiphon.wire.items import Compaction, InputItem, Message, Reasoning
from tests.support.immediate import at_once

SEALING = Sealing("a secret that nobody can guess at all")
BOXES = Sealed(SEALING, "up/m", "me")


@given(st.binary(min_size=1, max_size=200))
def test_what_is_sealed_is_hidden_and_can_be_opened(content: bytes) -> None:
    encrypted = SEALING.seal("me", content)
    assert is_ours(encrypted)
    assert SEALING.open("me", encrypted) == content
    hidden = base64.urlsafe_b64decode(encrypted.partition(".")[2] + "==")
    assert len(content) < 4 or content not in hidden


def test_the_same_content_is_encrypted_to_the_same_text() -> None:
    again = Sealing("a secret that nobody can guess at all")
    assert again.seal("me", b"content") == SEALING.seal("me", b"content")


def test_only_the_owner_can_use_encrypted_content() -> None:
    assert SEALING.open("you", SEALING.seal("me", b"content")) is None
    assert SEALING.seal("you", b"content") != SEALING.seal("me", b"content")


def test_only_a_server_with_the_key_can_decrypt_content() -> None:
    assert Sealing("another secret").open("me", SEALING.seal("me", b"content")) is None


@given(st.data())
def test_changed_encrypted_content_cannot_be_decrypted(data: st.DataObject) -> None:
    encrypted = SEALING.seal("me", b"some content")
    position = data.draw(st.integers(0, len(encrypted) - 2))  # The last one has unused bits.
    character = data.draw(st.characters().filter(lambda each: each != encrypted[position]))
    assert SEALING.open("me", encrypted[:position] + character + encrypted[position + 1 :]) is None


@pytest.mark.parametrize(
    "encrypted", ["", "gAAAAABpzfWE", "antiphon1.", "antiphon1.AA", "antiphon1.ü", "antiphon2.AAAA"]
)
def test_other_text_cannot_be_decrypted(encrypted: str) -> None:
    assert SEALING.open("me", encrypted) is None


def reasoning(encrypted: str | None) -> Reasoning:
    return Reasoning(summary=[], encrypted_content=encrypted)


def test_encrypted_content_of_this_server_and_reasoning_of_others_are_accepted() -> None:
    items: list[InputItem] = [
        Message(role="user", content="Hi"),
        reasoning(None),
        reasoning("gAAAAABpzfWE"),
        reasoning(BOXES.seal(SealedReasoning("up/m", "hm"))),
        Compaction(encrypted_content=BOXES.seal(SealedCompaction("s"))),
    ]
    at_once(check_sealed(items, BOXES))
    with pytest.raises(InvalidEncryptedContent):
        at_once(check_sealed(items, Sealed(SEALING, owner="you")))


@pytest.mark.parametrize(
    "item",
    [
        reasoning(SEALING.seal("you", b"{}")),
        reasoning(BOXES.seal(SealedReasoning("up/m"))[:-8]),
        reasoning(BOXES.seal(SealedCompaction("s"))),
        Compaction(encrypted_content="gAAAAABpzfWE"),
        Compaction(encrypted_content=BOXES.seal(SealedReasoning("up/m"))),
        Compaction(encrypted_content=""),
    ],
)
def test_other_encrypted_content_is_refused_with_its_place(item: InputItem) -> None:
    with pytest.raises(InvalidEncryptedContent) as caught:
        at_once(check_sealed([Message(role="user", content="Hi"), item], BOXES))
    error = caught.value
    assert (error.status, error.code) == (400, "invalid_encrypted_content")
    assert error.param == "input[1].encrypted_content"
    assert len(error.message) < 250

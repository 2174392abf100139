"""Settings that `configuration_update` items change."""

import msgspec
import pytest

from antiphon.decode.bodies import create_response
from antiphon.engine.request.configuration import configuration_of, configured
from antiphon.engine.sealed import Sealed, SealedCompaction
from antiphon.errors import InvalidEncryptedContent
from antiphon.wire.configuration import ConfigurationUpdate
from antiphon.wire.items import Compaction, Item, Message
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse
from tests.engine.seals import OpenSeal

FORMAT: JSONObject = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
HI = Message(role="user", content="Hi")


def request(**more: JSON) -> CreateResponse:
    return create_response.decode(msgspec.json.encode({"model": "m", "input": "Hi"} | more))


def update(**given: JSON) -> ConfigurationUpdate:
    return msgspec.convert({"type": "configuration_update"} | given, ConfigurationUpdate)


def effort(value: JSON) -> ConfigurationUpdate:
    return update(reasoning={"effort": value})


def text(**text_format: JSON) -> ConfigurationUpdate:
    return update(text={"format": text_format})


def test_a_request_without_updates_stays_as_it_is() -> None:
    given = request(reasoning={"effort": "low"})
    assert configured(given, [HI], Sealed()) is given
    assert configuration_of([HI], Sealed()) is None


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([effort("high")], "high"),
        ([effort("high"), HI, effort("none"), HI], "none"),
        ([effort("high"), text(type="text")], "high"),
        ([effort("high"), update(reasoning={})], "high"),
        ([effort("high"), update(reasoning=None)], "high"),
        ([effort("high"), effort(None)], "low"),
        ([text(type="text")], "low"),
    ],
)
def test_the_last_effort_takes_precedence_over_that_of_the_request(items: list[Item], expected: str) -> None:
    made = configured(request(reasoning={"effort": "low", "summary": "auto"}), items, Sealed())
    assert made.reasoning is not None
    assert (made.reasoning.effort, made.reasoning.summary) == (expected, "auto")


def test_the_last_format_takes_precedence_over_that_of_the_request() -> None:
    given = request(text={"format": FORMAT | {"name": "own"}, "verbosity": "low"})
    made = configured(given, [text(type="text"), text(**FORMAT)], Sealed())
    assert msgspec.to_builtins(made.text) == {"format": FORMAT, "verbosity": "low"}
    plain = configured(given, [text(**FORMAT), effort("low"), text(type="text")], Sealed())
    assert msgspec.to_builtins(plain.text) == {"format": {"type": "text"}, "verbosity": "low"}


def test_an_update_sets_what_the_request_omits() -> None:
    made = configured(request(), [effort("high"), text(**FORMAT)], Sealed())
    assert made.reasoning is not None
    assert made.text is not None
    assert made.reasoning.effort == "high"
    assert msgspec.to_builtins(made.text.format) == FORMAT


def test_a_compaction_keeps_the_settings() -> None:
    sealed = Sealed(OpenSeal())
    before = configuration_of([effort("high"), text(**FORMAT)], sealed)
    item = Compaction(encrypted_content=sealed.seal(SealedCompaction("So far.", None, before)))
    again = configuration_of([item, HI, effort("low")], sealed)
    assert again is not None
    assert msgspec.to_builtins(again) == msgspec.to_builtins(
        update(reasoning={"effort": "low"}, text={"format": FORMAT})
    )


def test_the_settings_of_a_compaction_that_cannot_be_decrypted_are_an_error() -> None:
    item = Compaction(encrypted_content=Sealed(OpenSeal()).seal(SealedCompaction("So far.")))
    with pytest.raises(InvalidEncryptedContent):
        configuration_of([item], Sealed())

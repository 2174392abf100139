"""The chat requests of one response."""

from antiphon.decode.bodies import create_response
from antiphon.engine.ports import ResolvedModel
from antiphon.engine.prompt_state import PromptState
from antiphon.engine.sealed import Sealed
from antiphon.wire.items import Item, Message
from tests.engine.looping import ScriptedModel
from tests.support.immediate import at_once

ITEMS: list[Item] = [
    Message(role="user" if number % 2 else "assistant", content=f"Number {number}.") for number in range(8)
]


def prompt(body: bytes = b'{"model":"backend/model","input":"Hi","truncation":"auto"}') -> PromptState:
    model = ResolvedModel(chat_model=ScriptedModel([]), name="model", id="backend/model")
    made = PromptState(create_response.decode(body), ITEMS, model, Sealed())
    at_once(made.offer({}, are_set_up=True))
    return made


def test_a_later_run_can_drop_as_many_items_as_an_earlier_one() -> None:
    earlier, later = prompt(), prompt()
    assert at_once(earlier.shorten())
    assert at_once(earlier.shorten())
    assert 0 < earlier.dropped < len(ITEMS)
    at_once(later.shorten_to(earlier.dropped))
    assert later.dropped == earlier.dropped
    assert later.chat_request(0) == earlier.chat_request(0)
    assert later.chat_request(0)["messages"] != prompt().chat_request(0)["messages"]


def test_a_context_is_shortened_only_if_the_request_allows_it() -> None:
    made = prompt(b'{"model":"backend/model","input":"Hi"}')
    assert not at_once(made.shorten())
    assert (made.dropped, len(made.chat_request(0)["messages"])) == (0, len(ITEMS))

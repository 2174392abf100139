"""Requests of the Messages API, and the requests for responses behind them."""

import msgspec

from antiphon.decode.bodies import BodyDecoder
from antiphon.dialects.anthropic.requests import message_request
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.messages import CreateMessage
from antiphon.wire.responses import CreateResponse

HI: JSONObject = {"role": "user", "content": "Hi"}
OURS = "antiphon1.ours"
"""The only signature that the server can decrypt."""
_decoder = BodyDecoder(CreateMessage)


def body(**given: JSON) -> CreateMessage:
    """Return a decoded body with the required fields and these."""
    plain = {"model": "m", "max_tokens": 100, "messages": [HI]} | given
    return _decoder.decode(msgspec.json.encode(plain))


def asked(**given: JSON) -> CreateResponse:
    """Return the request for the response behind a message."""
    return message_request(body(**given), lambda sealed: sealed == OURS)


def items(*messages: JSON) -> list[JSON]:
    """Return the input items of messages as JSON."""
    found: list[JSON] = msgspec.to_builtins(asked(messages=[*messages]).input)
    return found


def user(*blocks: JSON) -> JSONObject:
    """Return a message of the user."""
    return {"role": "user", "content": [*blocks]}

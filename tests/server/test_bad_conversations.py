"""Bad inputs to conversations: the error names the place and the reason, and nothing is stored."""

from pathlib import Path

import pytest

from antiphon.wire.json import JSONObject
from tests.server.client import call, get, post
from tests.server.refusals import Bad, check, rows

USER: JSONObject = {"role": "user", "content": "Hi"}

CONVERSATIONS: dict[str, Bad] = {
    "array": Bad([], None, "invalid_type"),
    "metadata": Bad({"metadata": {"k": 5}}, "metadata.k", "invalid_type"),
    "B27_long_value": Bad({"metadata": {"k": "v" * 513}}, "metadata.k", "string_above_max_length"),
    "21_items": Bad({"items": [USER] * 21}, "items", "array_above_max_length"),
    "B9_item_type": Bad({"items": [{"type": "zzz"}]}, "items[0].type", "invalid_value"),
    "id_of_another_type": Bad({"items": [USER | {"id": "rs_1"}]}, "items[0].id", "invalid_value"),
    "id_twice": Bad({"items": [USER | {"id": "msg_1"}] * 2}, "items", None),
    "unknown_reference": Bad({"items": [{"id": "msg_nope"}]}, "items", None, 404),
}


@pytest.mark.parametrize("bad", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_conversations(url: str, database: Path, conversation: str, bad: Bad) -> None:
    before = rows(database)
    check(post(url, "/conversations", bad.body), bad)
    if isinstance(bad.body, dict) and "items" in bad.body:
        check(post(url, f"/conversations/{conversation}/items", bad.body), bad)
    else:
        check(post(url, f"/conversations/{conversation}", bad.body), bad)
    assert rows(database) == before


def test_conversations_lack_something(url: str, conversation: str) -> None:
    path = f"/conversations/{conversation}"
    check(post(url, path, {}), Bad(None, "metadata", "missing_required_parameter"))
    check(post(url, f"{path}/items", {}), Bad(None, "items", "missing_required_parameter"))


def test_unknown_conversations(url: str) -> None:
    missing = Bad(None, None, None, 404, "Conversation with id 'conv_nope' not found.")
    path = "/conversations/conv_nope"
    check(get(url, path), missing)
    check(post(url, path, {"metadata": {}}), missing)
    check(call(url, "DELETE", path), missing)
    check(get(url, f"{path}/items"), missing)
    check(post(url, f"{path}/items", {"items": [USER]}), missing)
    check(get(url, f"{path}/items/msg_1"), missing)
    check(call(url, "DELETE", f"{path}/items/msg_1"), missing)

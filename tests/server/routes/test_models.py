"""Models over HTTP, which no client can delete."""

import pytest

from tests.server.client import call, get


def test_a_model_cannot_be_deleted(url: str) -> None:
    answer = call(url, "DELETE", "/models/up/m")
    assert answer.status == 400
    error = answer.json["error"]
    assert (error["code"], error["param"]) == ("model_not_deletable", "model")
    assert error["message"] == (
        "The model 'up/m' cannot be deleted, because it belongs to a backend. Remove it from the backend, or "
        "the backend from the settings."
    )
    assert get(url, "/models/up/m").status == 200


@pytest.mark.parametrize("model", ["other/m", "nope"])
def test_an_unknown_model_is_not_found(url: str, model: str) -> None:
    answer = call(url, "DELETE", f"/models/{model}")
    assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")

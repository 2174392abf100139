"""Model ids that name no backend."""

import pytest

from tests.backends.test_catalogue import at, nowhere, refused
from tests.support.upstream import Upstream, reply


@pytest.mark.parametrize("model_id", ["me/x", "lba/x", "openai/gpt-4o"])
def test_a_prefix_that_names_no_backend_reaches_no_other(model_id: str) -> None:
    error = refused(model_id, nowhere("lab"))
    assert error.code == "model_not_found"
    name = model_id.partition("/")[0]
    assert f"'{model_id}' does not exist. No backend is named '{name}'; " in error.message
    with Upstream(["x"]) as upstream:
        upstream.models_answer = reply({"error": "no list"}, status=500)
        assert refused(model_id, at("lab", upstream)).code == "model_not_found"
        assert upstream.chats == []
    assert f"Use 'lab/{model_id}' to send the request anyway." in error.message


def test_the_message_says_how_to_connect_a_backend_and_which_model_is_close() -> None:
    with Upstream(["gpt-4o", "other"]) as upstream:
        house = at("house", upstream)
        openai, ollama, lab, sample, own, hostile = (
            refused(model_id, house).message
            for model_id in ("openai/m", "ollama/m", "lab/m", "antiphon/sampel", "hous/gpt-4o", "a b\n/m")
        )
    assert "'openai'; set OPENAI_API_KEY to connect one." in openai
    assert "'ollama'; restart Antiphon if that server was started later, or set OLLAMA_HOST to" in ollama
    assert "'lab'; add [models.lab] to antiphon.toml to connect one." in lab
    assert "does not exist. Did you mean 'antiphon/sample'? Use one of antiphon/sample, " in sample
    assert " Did you mean 'house/gpt-4o'? Use one of house/gpt-4o, " in own
    assert "No backend" not in sample + hostile
    assert "Did you mean" not in openai + ollama + lab + hostile

"""Models for clients of both APIs."""

import pytest

from antiphon.dialects.anthropic.models import messages_model, models_page
from antiphon.errors import InvalidRequest
from antiphon.wire.models import Model

MODELS = [Model(id=each, created=86400, owned_by="up") for each in "abcd"]


def test_a_model_has_the_keys_of_both_apis() -> None:
    model = messages_model(MODELS[0])
    assert (model.object, model.type, model.display_name) == ("model", "model", "a")
    assert model.created_at == "1970-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("limit", "after", "before", "ids", "has_more"),
    [
        (20, None, None, "abcd", False),
        (2, None, None, "ab", True),
        (2, "b", None, "cd", False),
        (1, "b", None, "c", True),
        (2, None, "d", "bc", True),
        (3, None, "d", "abc", False),
        (2, "d", None, "", False),
    ],
)
def test_pages(limit: int, after: str | None, before: str | None, ids: str, has_more: bool) -> None:
    page = models_page(MODELS, limit, after, before)
    assert "".join(model.id for model in page.data) == ids
    assert page.has_more is has_more
    assert (page.first_id, page.last_id) == ((ids[0], ids[-1]) if ids else (None, None))


def test_a_cursor_must_be_a_model() -> None:
    with pytest.raises(InvalidRequest) as caught:
        models_page(MODELS, 20, "z", None)
    assert caught.value.param == "after_id"

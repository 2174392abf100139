"""Models in a form that clients of OpenAI's and of Anthropic's APIs read. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from antiphon.errors import InvalidRequest
from antiphon.wire.models import MessagesModel, MessagesModelList, Model


def messages_model(model: Model) -> MessagesModel:
    """Return a model with the keys of both APIs."""
    return MessagesModel(
        id=model.id,
        created=model.created,
        owned_by=model.owned_by,
        custom_metadata=model.custom_metadata,
        display_name=model.id,
        created_at=datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def models_page(
    models: Sequence[Model], limit: int, after: str | None, before: str | None
) -> MessagesModelList:
    """Return a page of models.

    Args:
        models: All models.
        limit: The length of the page.
        after: The ID of the model before the page.
        before: The ID of the model after the page.

    Raises:
        InvalidRequest: No model has the ID of a cursor.
    """
    ids = [model.id for model in models]
    if after is not None:
        first = _place(ids, after, "after_id") + 1
        page, has_more = models[first : first + limit], len(models) > first + limit
    elif before is not None:
        end = _place(ids, before, "before_id")
        page, has_more = models[max(0, end - limit) : end], end > limit
    else:
        page, has_more = models[:limit], len(models) > limit
    return MessagesModelList(
        data=[messages_model(model) for model in page],
        has_more=has_more,
        first_id=page[0].id if page else None,
        last_id=page[-1].id if page else None,
    )


def _place(ids: list[str], cursor: str, param: str) -> int:
    if cursor not in ids:
        raise InvalidRequest(
            f"Invalid '{param}': no model has the ID '{cursor[:200]}'.", code="invalid_value", param=param
        )
    return ids.index(cursor)

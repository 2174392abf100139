"""Moderation of the requests of a server."""

from collections.abc import Sequence

import msgspec

from antiphon.engine.ports import ModelCatalogue, ResolvedModel
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest
from antiphon.service.moderation.checks import Check, Checks
from antiphon.service.moderation.judged import JudgedModel, Judgment
from antiphon.service.moderation.plan import Rule, parts_of_items, parts_of_prompt, rules_of
from antiphon.service.moderation.results import text_part
from antiphon.settings.moderation import ModerationSettings
from antiphon.wire.items import Item
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.moderation import ModerationResult
from antiphon.wire.responses import CreateResponse


class Moderator:
    """The moderation of requests, and of texts and images alone.

    Args:
        catalogue: The models, for checks that call one.
        settings: The settings; None for no checks.
    """

    def __init__(self, catalogue: ModelCatalogue, settings: ModerationSettings | None = None) -> None:
        self._settings = settings or ModerationSettings()
        self.checks = Checks(self._settings.checks, catalogue)
        """The checks by name."""

    async def judged(
        self, model: ResolvedModel, request: CreateResponse, given: Sequence[Item], context: RequestContext
    ) -> ResolvedModel:
        """Return the model for a request that asks for moderation.

        Raises:
            InvalidRequest: A guardrail is not a check of the settings.
            ModelNotFound: No check and no backend has the moderation model.
        """
        rules = await rules_of(self.checks, request.moderation, request.guardrails or (), context)
        parts = parts_of_items(given)
        if request.prompt is not None:
            parts += parts_of_prompt(request.prompt)
        return self.with_rules(model, rules, parts, context)

    def with_rules(
        self,
        model: ResolvedModel,
        rules: Sequence[Rule],
        parts: Sequence[JSONObject],
        context: RequestContext,
    ) -> ResolvedModel:
        """Return a model whose input (`parts`) and replies the rules judge."""
        judgment = Judgment(rules, parts, context)
        chat_model = JudgedModel(model.chat_model, judgment, self._settings)
        return msgspec.structs.replace(model, chat_model=chat_model, moderation=judgment.shown)

    async def results(self, check: Check, given: JSON, context: RequestContext) -> list[ModerationResult]:
        """Return the results for the `input` of `/v1/moderations`: one per text, or one for parts.

        Raises:
            InvalidRequest: An entry is neither a text nor a part.
            AntiphonError: The check failed.
        """
        entries = given if isinstance(given, list) else [given]
        if all(isinstance(each, str) for each in entries):
            return [await check.judge([text_part(each)], context) for each in entries]
        for position, each in enumerate(entries):
            if not _is_part(each):
                raise InvalidRequest(
                    f"Invalid 'input[{position}]': expected a part with a text or an image_url.",
                    code="invalid_value",
                    param=f"input[{position}]",
                )
        return [await check.judge(entries, context)]


def _is_part(value: JSON) -> bool:
    if not isinstance(value, dict):
        return False
    if value.get("type") == "text":
        return isinstance(value.get("text"), str)
    image = value.get("image_url")
    return value.get("type") == "image_url" and isinstance(image, dict) and isinstance(image.get("url"), str)

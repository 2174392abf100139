"""Checks that judge texts and images, by the names that requests use."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, ModelNotFound, UpstreamBroken
from antiphon.service.moderation.policy import PolicyCheck
from antiphon.service.moderation.results import input_types, joined, result_of, texts_in
from antiphon.settings.moderation import CheckSettings
from antiphon.wire.json import JSONObject
from antiphon.wire.moderation import ModerationResult


class Check(Protocol):
    """One way to judge content."""

    @property
    def name(self) -> str:
        """The name by which requests select the check."""
        ...

    async def judge(self, parts: Sequence[JSONObject], context: RequestContext) -> ModerationResult:
        """Return the result for the parts together, which are in the form of `/v1/moderations`.

        Raises:
            AntiphonError: The check failed, so that there is no result.
        """
        ...


class Checks:
    """The checks of a server.

    Args:
        settings: The checks of the settings by name.
        catalogue: The models, for checks that call one.
    """

    def __init__(self, settings: Mapping[str, CheckSettings], catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue
        self._named = {name: _opened(name, check, catalogue) for name, check in settings.items()}

    def find(self, name: str) -> Check | None:
        """Return the check with a name; None if the settings have none."""
        return self._named.get(name)

    def named(self, name: str, param: str) -> Check:
        """Return the check with a name, which a request has at `param`.

        Raises:
            InvalidRequest: The settings have no such check.
        """
        found = self._named.get(name)
        if found is None:
            known = f"Use one of {', '.join(self._named)}" if self._named else "The settings have no checks"
            raise InvalidRequest(
                f"Invalid value: '{name[:100]}'. {known}, or add a table [moderation.checks.NAME].",
                code="unknown_check",
                param=param,
            )
        return found

    async def of_model(self, model: str, context: RequestContext) -> Check:
        """Return the check with a name, or else the moderation model with this id.

        Raises:
            ModelNotFound: Neither exists, so that a request that names it would not be protected.
        """
        if (check := self._named.get(model)) is not None:
            return check
        try:
            await self._catalogue.resolve(model, context)
        except ModelNotFound as error:
            error.param = "moderation.model"
            raise
        return EndpointCheck(model, model, self._catalogue)


class WordsCheck:
    """Flags words and phrases, whatever their case."""

    def __init__(self, name: str, settings: CheckSettings) -> None:
        self.name = name
        """The name by which requests select the check."""
        words = [r"\s+".join(map(re.escape, words.split())) for words in settings.words]
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)
        self._category = settings.category

    async def judge(self, parts: Sequence[JSONObject], context: RequestContext) -> ModerationResult:
        """Return the result for the texts; images are not looked at."""
        is_found = any(self._pattern.search(text) for text in texts_in(parts))
        return result_of(self.name, {self._category: 1.0} if is_found else {}, parts)


class EndpointCheck:
    """Asks a moderation model of a backend."""

    def __init__(self, name: str, model: str, catalogue: ModelCatalogue) -> None:
        self.name = name
        """The name by which requests select the check."""
        self._model = model
        self._catalogue = catalogue

    async def judge(self, parts: Sequence[JSONObject], context: RequestContext) -> ModerationResult:
        """Return the result of the backend.

        Raises:
            NotFound: No backend has the model.
            UpstreamError: The backend failed, or its answer has no results.
        """
        # Not every moderation model accepts a list of parts.
        given = list(parts) if "image" in input_types(parts) else "\n\n".join(texts_in(parts))
        request: JSONObject = {"model": self._model, "input": given}
        answer = await self._catalogue.ask("moderations", request, context)
        try:
            results = msgspec.convert(answer, _Answer).results
        except msgspec.ValidationError as error:
            raise UpstreamBroken(f"{self._model}: the answer isn't a moderation: {error}") from error
        if not results:
            raise UpstreamBroken(f"{self._model}: the moderation has no results")
        return joined([self._result(each, parts) for each in results])

    def _result(self, found: "_Result", parts: Sequence[JSONObject]) -> ModerationResult:
        types = found.category_applied_input_types
        return ModerationResult(
            model=self.name,
            flagged=found.flagged,
            categories={name: bool(value) for name, value in found.categories.items()},
            category_scores={name: value or 0.0 for name, value in found.category_scores.items()},
            category_applied_input_types={
                name: [each for each in ("text", "image") if each in (types.get(name) or ())]
                for name in found.categories
            }
            if types
            else dict.fromkeys(found.categories, input_types(parts)),
        )


class _Result(Struct):
    flagged: bool
    categories: dict[str, bool | None] = {}
    category_scores: dict[str, float | None] = {}
    category_applied_input_types: dict[str, list[str] | None] = {}


class _Answer(Struct):
    results: list[_Result]


def _opened(name: str, settings: CheckSettings, catalogue: ModelCatalogue) -> Check:
    if settings.kind == "words":
        return WordsCheck(name, settings)
    if settings.kind == "policy":
        return PolicyCheck(name, settings, catalogue)
    return EndpointCheck(name, settings.model, catalogue)

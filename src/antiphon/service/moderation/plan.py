"""Rules of a request: its checks, and the content that they judge."""

from collections.abc import Sequence

from msgspec import UNSET, Struct

from antiphon.engine.request_context import RequestContext
from antiphon.service.moderation.checks import Check, Checks
from antiphon.service.moderation.results import image_part, text_part
from antiphon.wire.content import InputImage, InputText, OutputText, Refusal
from antiphon.wire.items import CustomToolCallOutput, FunctionCallOutput, Item, Message
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.moderation import Guardrail, ModerationMode, ModerationParam
from antiphon.wire.responses import PromptReference


class Rule(Struct, frozen=True):
    """A check with its modes."""

    check: Check
    """The check."""
    input: ModerationMode
    """Mode for the input."""
    output: ModerationMode
    """Mode for the output."""


async def rules_of(
    checks: Checks,
    moderation: ModerationParam | None,
    guardrails: Sequence[str | Guardrail],
    context: RequestContext,
) -> list[Rule]:
    """Return the rules of a request.

    Raises:
        InvalidRequest: A guardrail is not a check of the settings.
        ModelNotFound: No check and no backend has the moderation model.
    """
    rules: list[Rule] = []
    if moderation is not None:
        policy = moderation.policy
        given = policy.input if policy is not None else None
        said = policy.output if policy is not None else None
        check = await checks.of_model(moderation.model, context)
        rules.append(Rule(check, given.mode if given else "score", said.mode if said else "score"))
    for position, each in enumerate(guardrails):
        name = each if isinstance(each, str) else each.type
        rules.append(Rule(checks.named(name, f"guardrails[{position}]"), "block", "block"))
    return rules


def parts_of_items(items: Sequence[Item]) -> list[JSONObject]:
    """Return the texts and images of input items."""
    parts: list[JSONObject] = []
    for item in items:
        contents: object = None
        if isinstance(item, Message):
            contents = item.content
        elif isinstance(item, FunctionCallOutput | CustomToolCallOutput):
            contents = item.output
        if isinstance(contents, str):
            parts.append(text_part(contents))
        elif isinstance(contents, list):
            for part in contents:
                parts += _parts_of(part)
    return [part for part in parts if part.get("text") != ""]


def parts_of_prompt(prompt: PromptReference) -> list[JSONObject]:
    """Return the texts and images that a request inserts into a stored prompt."""
    parts: list[JSONObject] = []
    for value in (prompt.variables or {}).values():
        parts += [text_part(value)] if isinstance(value, str) else _parts_of(value)
    return parts


def parts_of_messages(messages: JSON) -> list[JSONObject]:
    """Return the texts and images of a chat request, without the instructions and the model's replies."""
    parts: list[JSONObject] = []
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict) or message.get("role") in ("system", "developer", "assistant"):
            continue
        content = message.get("content")
        if isinstance(content, str) and content:
            parts.append(text_part(content))
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                parts.append(text_part(part["text"]))
            elif isinstance(part, dict) and isinstance(image := part.get("image_url"), dict):
                parts.append(image_part(str(image.get("url"))))
    return parts


def _parts_of(part: object) -> list[JSONObject]:
    if isinstance(part, InputText | OutputText):
        return [text_part(part.text)]
    if isinstance(part, Refusal):
        return [text_part(part.refusal)]
    if isinstance(part, InputImage) and part.image_url not in (None, UNSET):
        return [image_part(str(part.image_url))]
    return []

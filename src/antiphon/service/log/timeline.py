"""The steps of a response with their arguments and results, which the items have."""

import msgspec
from msgspec import Struct

from antiphon.engine.client.kinds import kind_of_call
from antiphon.engine.hosted.items import for_model, has_failed
from antiphon.engine.hosted.kinds import kind_of
from antiphon.engine.request.content import plain_text
from antiphon.service.log.stored import Steps
from antiphon.tools.registry import open_tools as open_tools  # Registers the kinds of the tools' items.
from antiphon.wire.chat import ChatContentPart
from antiphon.wire.items import CustomToolCall, FunctionCall, Item, McpListTools, Message, Reasoning
from antiphon.wire.log import LoggedError, LoggedUsage, ModelStep, Step


class StepView(Struct, omit_defaults=True, frozen=True, kw_only=True):
    """A step of a response."""

    number: int
    """Number of the step, from 1."""
    kind: str
    """`model` or `tool`."""
    name: str
    """Name of the model or of the tool."""
    at: float
    """Seconds from the beginning of the response to the beginning of the step."""
    seconds: float
    """Duration."""
    call: int | None = None
    """Number of the model call, from 1, which `replay-run --from` takes; None for other steps."""
    first: float | None = None
    """Seconds from the beginning of a model call to the first bytes of its answer."""
    purpose: str | None = None
    """Purpose of a model call that does not answer the client."""
    finish: str | None = None
    """The backend's reason for the end of a model call."""
    usage: LoggedUsage | None = None
    """Tokens of a model call."""
    retries: list[str] = []
    """The errors after which a model call was repeated."""
    reasoning: str = ""
    """The model's reasoning, as far as it isn't encrypted."""
    text: str = ""
    """The text that the model wrote."""
    calls: list[str] = []
    """The functions of the client that the model called, with their arguments."""
    arguments: str = ""
    """The arguments of a tool call."""
    result: str = ""
    """The result of a tool call, as the model received it."""
    item: str | None = None
    """ID of the item of a tool call."""
    is_approved: bool = False
    """Whether the client approved the tool call."""
    failed: bool = False
    """Whether the step ended with an error."""
    error: LoggedError | None = None
    """Error of a failed model call."""
    is_kept: bool = False
    """Whether the original of a fork made the step."""


def timeline(steps: Steps, output: list[Item]) -> list[StepView]:
    """Return the steps of a response.

    Args:
        steps: The steps.
        output: The complete output items of the response; none if it wasn't stored.
    """
    items = {str(item.id): item for item in output}
    views = []
    calls = 0
    for number, step in enumerate(steps.steps, 1):
        if isinstance(step, ModelStep):
            view = _model_view(number, step, output_of(steps.steps, number - 1, output))
            if step.purpose == "answer":
                # An attempt that failed has the number of the one after it.
                view = msgspec.structs.replace(view, call=calls + 1)
                calls += step.error is None
            views.append(view)
        else:
            item = items.get(step.item or "")
            views.append(
                StepView(
                    number=number,
                    kind="tool",
                    name=step.tool,
                    at=step.at,
                    seconds=step.seconds,
                    item=step.item,
                    is_approved=step.is_approved,
                    is_kept=step.is_kept,
                    failed=step.failed if item is None else has_failed(item),
                    arguments="" if item is None else _arguments(item),
                    result="" if item is None else _result(item),
                )
            )
    return views


def output_of(steps: list[Step], place: int, output: list[Item]) -> list[Item]:
    """Return the items from the beginning of a model call to that of the next one."""
    step = steps[place]
    assert isinstance(step, ModelStep)
    if step.purpose != "answer":
        return []
    later = (
        each.output for each in steps[place + 1 :] if isinstance(each, ModelStep) and each.purpose == "answer"
    )
    return output[step.output : next(later, len(output))]


def _model_view(number: int, step: ModelStep, items: list[Item]) -> StepView:
    texts, reasoning, calls = [], [], []
    for item in items:
        if isinstance(item, Message):
            texts.append(plain_text(item.content))
        elif isinstance(item, Reasoning):
            reasoning += [part.text for part in item.content or item.summary]
        elif isinstance(item, FunctionCall):
            calls.append(f"{item.name}({item.arguments})")
        elif isinstance(item, CustomToolCall):
            calls.append(f"{item.name}({item.input})")
        elif (kind := kind_of_call(item)) is not None:
            calls.append(f"{kind.name}({kind.arguments(item)})")
    return StepView(
        number=number,
        kind="model",
        name=step.model,
        at=step.at,
        seconds=step.seconds,
        first=step.first,
        purpose=None if step.purpose == "answer" else step.purpose,
        finish=step.finish,
        usage=step.usage,
        retries=step.retries,
        reasoning="\n".join(reasoning),
        text="\n".join(texts),
        calls=calls,
        failed=step.error is not None,
        error=step.error,
        is_kept=step.is_kept,
    )


def _arguments(item: Item) -> str:
    kind = kind_of(item)
    return "" if kind is None or isinstance(item, McpListTools) else kind.function(item).arguments


def _result(item: Item) -> str:
    if isinstance(item, McpListTools):
        return str(item.error) if item.error else ", ".join(str(tool.get("name")) for tool in item.tools)
    called = for_model(item) if kind_of(item) is not None else None
    return "" if called is None else _text(called.output)


def _text(output: str | list[ChatContentPart]) -> str:
    if isinstance(output, str):
        return output
    return "\n".join(part.get("text", f"[{part.get('type')}]") for part in output)

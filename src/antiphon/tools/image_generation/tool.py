"""Image generation as a hosted tool: an `image_generation_call` that an images backend answers."""

import msgspec
from msgspec import UNSET

from antiphon.engine.ports import HostedCall, ToolCalls
from antiphon.errors import AntiphonError, InvalidRequest, UpstreamBroken, UpstreamError
from antiphon.tools.base import BasicCall, BasicTool
from antiphon.tools.client.arguments import decoded, strings
from antiphon.tools.context import ToolContext
from antiphon.tools.image_generation.calls import PROVIDER, ImageCalls
from antiphon.tools.image_generation.items import NAME
from antiphon.wire.chat import ChatTool
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import ITEM_PREFIXES, ImageGenerationCall
from antiphon.wire.json import JSONObject
from antiphon.wire.tool_events import (
    ImageGenerationCallCompleted,
    ImageGenerationCallGenerating,
    ImageGenerationCallInProgress,
    ImageGenerationCallPartialImage,
)
from antiphon.wire.tools import ImageGenerationTool

_FUNCTION: ChatTool = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "Generate an image, which the user sees.",
        "parameters": {
            "type": "object",
            "properties": {"prompt": {"type": "string", "description": "A description of the image"}},
            "required": ["prompt"],
        },
    },
}
_OPTIONS = (
    *("background", "complexity", "frame_count", "frame_duration_ms", "moderation", "output_compression"),
    *("output_format", "partial_images", "quality", "size", "svg"),
)
"""Fields of the tool that the images backend receives."""
_MAX_PROMPT = 32_000
"""Characters of a prompt, as at api.openai.com."""


class ImageGeneration(BasicTool):
    """A `HostedTool` with a function for the model to generate an image."""

    def __init__(self, tool: ImageGenerationTool, position: int, context: ToolContext) -> None:
        """Check the tool of a request.

        Raises:
            InvalidRequest: The server has no images backend, or the tool edits images.
        """
        super().__init__(position)
        place = f"tools[{position}]"
        settings = context.services.settings.image_generation
        if settings.base_url is None:
            raise InvalidRequest(
                f"Invalid '{place}': tools of type 'image_generation' need an images backend, which this "
                "server doesn't have. The operator sets it with base_url in [tools.image_generation].",
                code="unsupported_tool",
                param=place,
            )
        for name in ("input_image_mask", "input_fidelity"):
            if getattr(tool, name) not in (None, UNSET):
                raise _unsupported(f"{place}.{name}")
        if tool.action == "edit":
            raise _unsupported(f"{place}.action")
        if tool.output_format == "gif" and tool.partial_images not in (None, UNSET, 0):
            param = f"{place}.partial_images"
            raise InvalidRequest(
                f"Invalid '{param}': GIF output has no partial images. Set it to 0.",
                code="invalid_value",
                param=param,
            )
        options = {name: getattr(tool, name) for name in _OPTIONS}
        self._body: JSONObject = {
            name: value for name, value in options.items() if value is not None and value is not UNSET
        }
        self._body["model"] = settings.model or (tool.model if isinstance(tool.model, str) else "gpt-image-1")
        if self._body.get("partial_images"):
            self._body["stream"] = True
        self._calls = context.wrap(ImageCalls(context.services))
        self._ids = context.request.ids

    def functions(self) -> list[ChatTool]:
        """Return the function."""
        return [_FUNCTION]

    def call(self, name: str, arguments: str) -> HostedCall:
        """Return a new call."""
        prompt = (decoded(arguments) or {}).get("prompt")
        text = prompt[:_MAX_PROMPT] if isinstance(prompt, str) else ""
        item_id = self._ids(ITEM_PREFIXES["image_generation_call"])
        item = ImageGenerationCall(id=item_id, status="in_progress", revised_prompt=text)
        return ImageCall(item, self._calls, {"prompt": text, **self._body})


class ImageCall(BasicCall[ImageGenerationCall]):
    """One image."""

    def __init__(self, item: ImageGenerationCall, calls: ToolCalls, body: JSONObject) -> None:
        super().__init__(item)
        self._calls = calls
        self._body = body
        self._partial: list[str] = []

    def opening(self, output_index: int) -> list[Event]:
        """Return the first events, without the prompt as at api.openai.com."""
        item_id = str(self.item.id)
        added = msgspec.structs.replace(self.item, revised_prompt=UNSET)
        return [
            OutputItemAdded(output_index, added),
            ImageGenerationCallInProgress(item_id, output_index),
            ImageGenerationCallGenerating(item_id, output_index),
        ]

    async def run(self) -> None:
        """Generate the image. An error fails the item, and the model receives the message."""
        item = self.item
        try:
            if not self._body["prompt"].strip():
                raise UpstreamError("The arguments are wrong: expected a 'prompt' as text.")
            answer = await self._calls.call(PROVIDER, NAME, self._body)
            if not isinstance(answer, dict) or not isinstance(answer.get("b64_json"), str):
                raise UpstreamBroken("The images backend returned no image.")
        except UpstreamError as error:
            item.status = "failed"
            item.error = {"type": error.type, "code": error.code, "message": error.message}
            return
        except AntiphonError:
            item.status = "failed"
            raise
        for name in ("size", "quality", "background", "output_format", "revised_prompt"):
            if isinstance(answer.get(name), str):
                setattr(item, name, answer[name])
        item.result = answer["b64_json"]
        item.status = "completed"
        self._partial = strings(answer.get("partial_images")) or []

    def closing(self, output_index: int) -> list[Event]:
        """Return the partial images and `completed`, unless the call failed, and `output_item.done`."""
        item, item_id = self.item, str(self.item.id)
        done = OutputItemDone(output_index, item)
        if item.status != "completed":
            return [done]
        settings = (item.size, item.quality, item.background, item.output_format)
        partial: list[Event] = [
            ImageGenerationCallPartialImage(item_id, output_index, number, image, *settings)
            for number, image in enumerate(self._partial)
        ]
        return [*partial, ImageGenerationCallCompleted(item_id, output_index), done]


def _unsupported(param: str) -> InvalidRequest:
    return InvalidRequest(
        f"Unsupported parameter: '{param}'. This server generates images, but doesn't edit them.",
        code="unsupported_parameter",
        param=param,
    )

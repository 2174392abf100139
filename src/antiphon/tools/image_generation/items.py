"""Items of generated images: for the model, and the tool as responses show it."""

import json

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.kinds import CalledFunction, HostedKind
from antiphon.wire.items import ImageGenerationCall
from antiphon.wire.tools import ImageGenerationTool

NAME = "image_generation"


class ImageGenerationItems(HostedKind[ImageGenerationCall]):
    """Calls of image generation."""

    item = ImageGenerationCall

    def function(self, item: ImageGenerationCall) -> CalledFunction:
        """Return the call with its prompt."""
        prompt = item.revised_prompt if isinstance(item.revised_prompt, str) else ""
        return CalledFunction(NAME, NAME, json.dumps({"prompt": prompt}))

    def output(self, item: ImageGenerationCall) -> str:
        """Return a text: the model doesn't see the image."""
        if item.status != "failed":
            return "The image was generated, and the user sees it."
        message = item.error.get("message") if isinstance(item.error, dict) else None
        return f"The image was not generated. {message or ''}".rstrip()

    def has_failed(self, item: ImageGenerationCall) -> bool:
        """Return whether there is no image."""
        return item.status == "failed"


def echo(tool: ImageGenerationTool) -> ImageGenerationTool:
    """Return the tool as api.openai.com shows it: with defaults, without fields that have no effect."""
    defaults = {
        **dict.fromkeys(("background", "moderation", "quality", "size"), "auto"),
        "output_compression": 100,
        "output_format": "png",
    }
    changes: dict[str, object] = {
        name: defaults.get(name, UNSET)
        for name in tool.__struct_fields__
        if getattr(tool, name) in (None, UNSET)
    }
    if tool.partial_images == 0:
        changes["partial_images"] = UNSET
    return msgspec.structs.replace(tool, **changes)

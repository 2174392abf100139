"""Image generation as a hosted tool, by an images backend of the operator."""

from antiphon.engine.hosted.kinds import register_echo, register_kind
from antiphon.tools.image_generation.items import ImageGenerationItems, echo
from antiphon.tools.image_generation.tool import ImageGeneration
from antiphon.tools.table import register
from antiphon.wire.tools import ImageGenerationTool


def register_all() -> None:
    """Add this tool to the tables."""
    register_kind(ImageGenerationItems())
    register_echo(ImageGenerationTool, echo)
    register(ImageGenerationTool, ImageGeneration)

"""Use of hosted tools, which a response counts apart from the tokens of its model."""

from msgspec import UNSET, Struct, UnsetType, field


class ImageTokens(Struct):
    """Tokens of images and of text."""

    image_tokens: int = 0
    text_tokens: int = 0


class ImageGenerationUsage(Struct, kw_only=True):
    """Tokens of all image generation calls."""

    input_tokens: int = 0
    input_tokens_details: ImageTokens = field(default_factory=ImageTokens)
    output_tokens: int = 0
    output_tokens_details: ImageTokens | UnsetType = UNSET
    total_tokens: int = 0


class WebSearchUsage(Struct):
    """Searches of all web search calls; actions on pages don't count."""

    num_requests: int = 0


class ToolUsage(Struct, kw_only=True):
    """Use of hosted tools."""

    image_gen: ImageGenerationUsage = field(default_factory=ImageGenerationUsage)
    web_search: WebSearchUsage = field(default_factory=WebSearchUsage)

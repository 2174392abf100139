"""Error envelope."""

from msgspec import UNSET, Struct, UnsetType


class ErrorBody(Struct):
    """Error object, whose four keys are always present."""

    message: str
    type: str
    param: str | None
    code: str | None


class FrameError(Struct, kw_only=True):
    """Error object of a WebSocket frame, which always has a code."""

    message: str
    type: str
    param: str | None
    code: str
    headers: dict[str, str] | UnsetType = UNSET
    """Headers that the error has over HTTP."""


class ErrorFrame(Struct, tag="error"):
    """WebSocket frame with an error outside of a response; `status` is the status over HTTP."""

    status: int
    error: FrameError


RESPONSE_CODES = frozenset(
    {
        "server_error",
        "rate_limit_exceeded",
        "invalid_prompt",
        "data_residency_mismatch",
        "bio_policy",
        "misalignment_policy_violation",
        "vector_store_timeout",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
        # Not in the enum of the API's description, but sent by api.openai.com.
        "context_length_exceeded",
        "insufficient_quota",
    }
)
"""Values of `response.error.code`."""


class ErrorEnvelope(Struct):
    """Body of every HTTP error."""

    error: ErrorBody
    request_id: str | UnsetType = UNSET
    """The ID in `x-request-id`, for clients that keep only the body; absent outside of a request."""

"""Changes of a request's input that a response reports."""

from typing import Literal

from msgspec import Struct


class InputTransformation(Struct, tag="reasoning"):
    """Reasoning item of which the model receives nothing.

    Other servers, organizations or models encrypted it, so that the model of the response can't read it.
    """

    id: str
    reason: Literal[
        "organization_mismatch", "end_user_mismatch", "model_mismatch", "prefix_mismatch", "turn_boundary"
    ]
    action: Literal["removed"] = "removed"

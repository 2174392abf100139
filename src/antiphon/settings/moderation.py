"""Settings of moderation: the table `[moderation]` in `antiphon.toml`, and the checks below it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from antiphon.settings.values import describe
from antiphon.wire.json import JSON

CheckKind = Literal["endpoint", "policy", "words"]
Streams = Literal["hold", "cut"]


class CheckSettings(Struct, frozen=True, kw_only=True):
    """Table `[moderation.checks.NAME]`: a check that requests select by its name."""

    kind: Annotated[
        CheckKind,
        Meta(
            description="Kind of check: a moderation model of a backend (`endpoint`), a chat model with a "
            "policy (`policy`), or a list of words (`words`)."
        ),
    ]
    model: Annotated[
        str,
        Meta(description="Model ID of an `endpoint` or a `policy`, such as `openai/omni-moderation-latest`."),
    ] = ""
    policy: Annotated[
        str,
        Meta(
            description="Instructions for the chat model: what it must flag. Its answer is read as JSON with "
            "`flagged` and perhaps `categories`, or as `safe` or `unsafe` with categories in the next line."
        ),
    ] = ""
    words: Annotated[
        tuple[str, ...], Meta(description="Words and phrases that are flagged in any case.")
    ] = ()
    category: Annotated[str, Meta(description="Category of content that `policy` or `words` flags.")] = (
        "policy"
    )


class ModerationSettings(Struct, frozen=True, kw_only=True):
    """Table `[moderation]`."""

    streams: Annotated[
        Streams,
        Meta(
            description="Streams whose output may be blocked: `hold` sends each reply of the model after "
            "its check; `cut` sends it in pieces, each after its check."
        ),
    ] = "hold"
    cut_after: Annotated[int, Meta(gt=0, description="Characters of a piece of `cut`.")] = 500
    checks: dict[str, CheckSettings] = {}
    """Checks by name."""

    def tables(self) -> dict[str, dict[str, JSON]]:
        """Return the documented settings by their tables."""
        tables = {"moderation": {each.name: getattr(self, each.name) for each in MODERATION_SETTINGS}}
        for name, check in self.checks.items():
            tables[f"moderation.checks.{name}"] = {
                each.name: getattr(check, each.name) for each in CHECK_SETTINGS
            }
        return tables


MODERATION_SETTINGS = describe(ModerationSettings)
"""Keys of `[moderation]` itself."""
CHECK_SETTINGS = describe(CheckSettings)
"""Keys of a table `[moderation.checks.NAME]`."""

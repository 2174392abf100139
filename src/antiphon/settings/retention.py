"""Settings of the table `[retention]`."""

from typing import Annotated

from msgspec import Meta, Struct

from antiphon.settings.values import Duration


class RetentionSettings(Struct, frozen=True, kw_only=True):
    """Ages at which objects are deleted, each with a key in the table `[retention]`."""

    retention_responses: Annotated[
        Duration | None,
        Meta(
            description="Age at which a stored chat completion or a response is deleted, unless a younger "
            "response continues it. If not set: never.",
            extra={"own_key": "responses", "table": "retention"},
        ),
    ] = None
    retention_conversations: Annotated[
        Duration | None,
        Meta(
            description="Time since its last use after which a conversation is deleted. If not set: never.",
            extra={"own_key": "conversations", "table": "retention"},
        ),
    ] = None
    retention_event_logs: Annotated[
        Duration | None,
        Meta(
            description="Time since the end of a background response after which its events are deleted; the "
            "response remains. If not set: never.",
            extra={"own_key": "event_logs", "table": "retention"},
        ),
    ] = None
    retention_batches: Annotated[
        Duration | None,
        Meta(
            description="Age at which an ended batch is deleted; its files remain. If not set: never.",
            extra={"own_key": "batches", "table": "retention"},
        ),
    ] = None
    retention_files: Annotated[
        Duration | None,
        Meta(
            description="Age at which a file is deleted, unless it is in a vector store. If not set: never.",
            extra={"own_key": "files", "table": "retention"},
        ),
    ] = None
    retention_log_entries: Annotated[
        Duration | None,
        Meta(
            description="Age at which log lines without a stored response go. If not set: never.",
            extra={"own_key": "log_entries", "table": "retention"},
        ),
    ] = None

"""Composition of the model catalogue from backends and recordings."""

from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.engine.ports import ModelCatalogue
from antiphon.errors import ConfigError
from antiphon.settings.schema import Settings

if TYPE_CHECKING:
    from antiphon.backends.tracing import TraceHeaders
    from antiphon.recording.seam.lookup import RecordingLookup


async def open_catalogue(settings: Settings, trace_headers: "TraceHeaders | None" = None) -> ModelCatalogue:
    """Open the catalogue of the settings; replay mode looks for no backends.

    Args:
        settings: The settings in effect.
        trace_headers: Returns the headers that continue a trace in backends; None without traces.

    Raises:
        ConfigError: Recordings, patterns or fault rules are wrong.
    """
    if settings.recordings is None and not settings.fault and not settings.recording_header:
        return await _backends(settings, trace_headers)
    from antiphon.recording.seam.catalogue import RecordingCatalogue
    from antiphon.recording.seam.faults import Faults

    faults = Faults(settings.fault)
    replay = None if settings.recordings is None else _replay(settings, Path(settings.recordings))
    backends = None if settings.recording == "replay" else await _backends(settings, trace_headers)
    return RecordingCatalogue(backends, replay, settings.recording, faults, settings.replay_tools)


def mode_line(settings: Settings) -> str:
    """Return how model and tool calls are handled, in words for the start-up output."""
    tools = ", tools are called" if settings.replay_tools == "live" else ""
    what = {
        "live": "live",
        "record": f"record: calls are made and recorded in {settings.recordings}",
        "replay": f"replay from {settings.recordings}: no calls to backends{tools}",
        "record-missing": f"record-missing: calls missing from {settings.recordings} are made and recorded",
    }[settings.recording]
    frozen = ", ids and times frozen" if settings.freeze else ""
    faults = f", faults: {settings.fault}" if settings.fault else ""
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    return what + frozen + faults + workers


async def _backends(settings: Settings, trace_headers: "TraceHeaders | None") -> ModelCatalogue:
    from antiphon.backends.catalogue import Models

    return await Models.open(settings, trace_headers=trace_headers)


def _replay(settings: Settings, directory: Path) -> "RecordingLookup":
    from antiphon.recording.collection import Collection
    from antiphon.recording.files.secrets import Pattern
    from antiphon.recording.matching.volatile import RULES, named_pattern, user_rules
    from antiphon.recording.seam.lookup import RecordingLookup

    secrets = tuple(Pattern(*named_pattern("never_record", text)) for text in settings.never_record)
    if settings.recording == "replay" and not directory.is_dir():
        raise ConfigError(
            f"{directory}: the folder of recordings does not exist; set `recordings` to another folder"
        )
    if settings.recording in ("record", "record-missing"):
        _make(directory)
    collection = Collection(
        directory,
        (*user_rules(settings.volatile), *RULES),
        repeat=settings.repeat,
        replay_failures=settings.replay_failures,
        secret_patterns=secrets,
    )
    hit_log = None if settings.hit_log is None else Path(settings.hit_log)
    return RecordingLookup(collection, speed=settings.replay_speed, hit_log=hit_log)


def _make(directory: Path) -> None:
    """Create the folder at start-up, so that errors don't wait for the first call."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory}: cannot create the folder: {error.strerror or error}") from error

"""Which models a server has: its backends, what is recorded of them, or both."""

from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.engine.ports import ModelCatalogue
from antiphon.errors import ConfigError
from antiphon.settings.schema import Settings

if TYPE_CHECKING:
    from antiphon.recording.seam.lookup import RecordingLookup


async def open_catalogue(settings: Settings) -> ModelCatalogue:
    """Opens what answers model calls; in replay no backend is even looked for.

    Raises `ConfigError` for recordings, patterns or fault rules that are wrong.
    """
    if settings.recordings is None and not settings.fault and not settings.recording_header:
        return await _backends(settings)
    from antiphon.recording.seam.catalogue import RecordingCatalogue
    from antiphon.recording.seam.faults import Faults

    faults = Faults(settings.fault)
    replay = None if settings.recordings is None else _replay(settings, Path(settings.recordings))
    backends = None if settings.recording == "replay" else await _backends(settings)
    return RecordingCatalogue(backends, replay, settings.recording, faults)


def mode_line(settings: Settings) -> str:
    """Says in words for the start-up print what becomes of model calls."""
    what = {
        "live": "live",
        "record": f"record: calls are made and written to {settings.recordings}",
        "replay": f"replay from {settings.recordings}: no backend is called",
        "record-missing": f"record-missing: what {settings.recordings} does not answer is called and written",
    }[settings.recording]
    frozen = ", ids and times frozen" if settings.freeze else ""
    faults = f", faults: {settings.fault}" if settings.fault else ""
    return what + frozen + faults


async def _backends(settings: Settings) -> ModelCatalogue:
    from antiphon.backends.catalogue import Models

    return await Models.open(settings)


def _replay(settings: Settings, directory: Path) -> "RecordingLookup":
    from antiphon.recording.collection import Collection
    from antiphon.recording.files.secrets import Pattern
    from antiphon.recording.matching.volatile import RULES, named_pattern, user_rules
    from antiphon.recording.seam.lookup import RecordingLookup

    secrets = tuple(Pattern(*named_pattern("never_record", text)) for text in settings.never_record)
    if settings.recording == "replay" and not directory.is_dir():
        raise ConfigError(f"{directory}: there is no such folder of recordings")
    if settings.recording in ("record", "record-missing"):
        _make(directory)
    collection = Collection(
        directory,
        (*user_rules(settings.volatile), *RULES),
        repeat=settings.repeat,
        secret_patterns=secrets,
    )
    hit_log = None if settings.hit_log is None else Path(settings.hit_log)
    return RecordingLookup(collection, speed=settings.replay_speed, hit_log=hit_log)


def _make(directory: Path) -> None:
    """Makes the folder at once: the first call is too late to learn that it cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory}: the folder cannot be made: {error.strerror or error}") from error

"""Settings and backends for the operator, with secrets masked."""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import asdict

from antiphon.settings.backends import BACKEND_SETTINGS, CAPABILITIES, BackendSettings
from antiphon.settings.schema import SETTINGS, Settings
from antiphon.settings.values import Setting
from antiphon.viewer.views import BackendView, SettingsTable, SettingView
from antiphon.wire.json import JSON
from antiphon.wire.models import BackendHealth, Model


def tables(settings: Settings) -> list[SettingsTable]:
    """Return all settings by their tables."""
    shown, origins = settings.shown(), settings.origins
    names = dict.fromkeys(setting.table or "" for setting in SETTINGS)
    found = [
        SettingsTable(
            name=name,
            settings=[
                _view(each, shown[each.name], origins.get(each.name, "default"))
                for each in SETTINGS
                if (each.table or "") == name
            ],
        )
        for name in names
    ]
    for name, values in (settings.tools.tables() | settings.moderation.tables()).items():
        rows = [
            SettingView(name=key, value=_plain(value), origin="", doc="") for key, value in values.items()
        ]
        found.append(SettingsTable(name=name, settings=rows))
    return [*found, *map(_backend_table, settings.models.values())]


def backends(
    health: Iterable[BackendHealth], models: Iterable[Model], settings: Mapping[str, BackendSettings]
) -> list[BackendView]:
    """Return the backends with their models.

    Args:
        health: The health of each backend.
        models: The models of all backends.
        settings: The backends of the settings by name; discovery may have found others.
    """
    listed = list(models)
    return [
        BackendView(
            health=each,
            base_url=settings[each.name].base_url if each.name in settings else "",
            kind=settings[each.name].kind if each.name in settings else "",
            origin=settings[each.name].origin if each.name in settings else "discovery",
            models=[model for model in listed if model.id.startswith(f"{each.name}/")],
        )
        for each in health
    ]


def _backend_table(backend: BackendSettings) -> SettingsTable:
    values = asdict(backend) | asdict(backend.capabilities)
    rows = [_view(each, values[each.name], "") for each in (*BACKEND_SETTINGS, *CAPABILITIES)]
    return SettingsTable(
        name=f"models.{backend.name}", settings=[row for row in rows if row.value is not None]
    )


def _view(setting: Setting, value: JSON, origin: str) -> SettingView:
    return SettingView(name=setting.name, value=_plain(value), origin=origin, doc=setting.doc)


def _plain(value: object) -> JSON:
    """Return a value as JSON; the text of a secret is a mask."""
    return msgspec.to_builtins(value, enc_hook=str)

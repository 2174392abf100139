import msgspec

from antiphon.settings.backends import BackendSettings
from antiphon.settings.schema import Settings
from antiphon.settings.values import Secret
from antiphon.viewer.settings import backends, tables
from antiphon.wire.models import BackendHealth, Model

SECRET = "do-not-show-this-value"


def test_no_secret_is_shown() -> None:
    backend = BackendSettings(
        name="up",
        base_url="http://up/v1",
        api_key=Secret(SECRET),
        headers={"x-key": Secret(SECRET)},
        proxy=Secret(f"http://u:{SECRET}@proxy"),
    )
    settings = Settings(
        database=f"postgresql://u:{SECRET}@h/d",
        api_key=Secret(SECRET),
        seal_key=Secret(SECRET),
        models={"up": backend},
    )
    shown = tables(settings)
    assert SECRET not in msgspec.json.encode(shown).decode()
    values = {(table.name, row.name): row.value for table in shown for row in table.settings}
    assert values["", "database"] == "postgresql://u:***@h/d"
    assert values["security", "api_key"] == "***"
    assert values["models.up", "headers"] == {"x-key": "***"}
    assert values["models.up", "base_url"] == "http://up/v1"
    assert values["tools", "max_rounds"] == 10


def test_backends_have_their_models_and_discovered_ones_their_name() -> None:
    health = [BackendHealth(name="up", status="OK"), BackendHealth(name="found", status="Error", message="m")]
    models = [Model(id="up/a", owned_by="up"), Model(id="found/b", owned_by="found")]
    settings = {"up": BackendSettings(name="up", base_url="http://up/v1", origin="antiphon.toml")}
    up, found = backends(health, models, settings)
    assert (up.base_url, up.origin, [model.id for model in up.models]) == (
        "http://up/v1",
        "antiphon.toml",
        ["up/a"],
    )
    assert (found.base_url, found.origin, found.health.message) == ("", "discovery", "m")

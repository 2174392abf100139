from antiphon.settings.backends import BACKEND_SETTINGS, CAPABILITIES, PRESETS, BackendSettings
from antiphon.settings.moderation import CHECK_SETTINGS, MODERATION_SETTINGS
from antiphon.settings.schema import SETTINGS, Settings
from antiphon.settings.tools import (
    FILE_SEARCH_SETTINGS,
    MCP_SERVER_SETTINGS,
    TOOLS_SETTINGS,
    WEB_SEARCH_SETTINGS,
)
from antiphon.settings.values import Secret, mask_url

TOOLS = (*TOOLS_SETTINGS, *WEB_SEARCH_SETTINGS, *MCP_SERVER_SETTINGS, *FILE_SEARCH_SETTINGS)

MODERATION = (*MODERATION_SETTINGS, *CHECK_SETTINGS)


def test_a_secret_is_never_printed() -> None:
    backend = BackendSettings(name="b", base_url="http://h/v1", api_key=Secret("sk-canary"))
    settings = Settings(database=":memory:", models={"b": backend})
    for text in (repr(backend), repr(settings), str(backend.api_key), f"{backend.api_key}"):
        assert "sk-canary" not in text
    assert backend.api_key is not None
    assert backend.api_key.reveal() == "sk-canary"


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1


def test_a_database_password_is_masked() -> None:
    settings = Settings(database="postgresql://me:hunter2@db.example/x")
    assert "hunter2" not in repr(settings)
    assert settings.shown()["database"] == "postgresql://me:***@db.example/x"
    assert mask_url("/home/a:b@c/antiphon.db") == "/home/a:b@c/antiphon.db"


def test_every_setting_is_documented_and_named_everywhere() -> None:
    assert {setting.name for setting in SETTINGS} == set(Settings.__struct_fields__) - {
        "tools",
        "moderation",
        "models",
        "origins",
        "notices",
    }
    assert {s.name for s in BACKEND_SETTINGS} == set(BackendSettings.__struct_fields__) - {
        "name",
        "capabilities",
        "origin",
    }
    for setting in (*SETTINGS, *BACKEND_SETTINGS, *CAPABILITIES, *TOOLS, *MODERATION):
        assert setting.doc.endswith(".")
    port = next(setting for setting in SETTINGS if setting.name == "max_body_bytes")
    assert (port.flag, port.env) == ("--max-body-bytes", "ANTIPHON_MAX_BODY_BYTES")


def test_switches_do_not_collide_with_backend_keys() -> None:
    assert not {s.name for s in BACKEND_SETTINGS} & {s.name for s in CAPABILITIES}


def test_only_openai_gets_what_only_openai_knows() -> None:
    for kind, preset in PRESETS.items():
        assert preset.service_tier == preset.prompt_cache == preset.developer_role == (kind == "openai")


def test_a_setting_in_a_table_has_a_key_a_flag_and_a_variable() -> None:
    (allow_hosts,) = [setting for setting in SETTINGS if setting.name == "allow_hosts"]
    assert (allow_hosts.key, allow_hosts.flag) == ("[security] allow_hosts", "--allow-host")
    assert allow_hosts.env == "ANTIPHON_ALLOW_HOSTS"

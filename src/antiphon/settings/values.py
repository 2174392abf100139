"""What settings are made of: secret values, and a setting as documentation, flags and variables name it."""

import re
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import fields

Seconds = Annotated[float, Meta(gt=0)]


class Secret:
    """A value that must not be shown. It is masked wherever it is printed."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Returns the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


ENV_PREFIX = "ANTIPHON_"


class Setting(Struct, frozen=True, kw_only=True):
    """One setting, as documentation, flags and the environment name it."""

    name: str
    type: object
    """The annotation, which `msgspec.convert` takes."""
    default: object
    """`msgspec.NODEFAULT` where there is none, or where it depends on the machine."""
    doc: str
    own_flag: str | None = None
    """The flag, where it is not made of the name."""
    table: str | None = None
    """The table of `antiphon.toml` that holds the key; None: it stands at the top."""
    separator: str = "\n"
    """What stands between the entries of a list in a variable."""

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return self.own_flag or "--" + self.name.replace("_", "-")

    @property
    def env(self) -> str:
        """The environment variable."""
        return ENV_PREFIX + self.name.upper()

    @property
    def key(self) -> str:
        """The key, with the table that it stands in."""
        return f"[{self.table}] {self.name}" if self.table else self.name


def describe(struct: type[Struct]) -> tuple[Setting, ...]:
    """Returns the documented fields of `struct`, in order; `extra` of a field's Meta holds the rest."""
    table = []
    for field in fields(struct):
        for meta in getattr(field.type, "__metadata__", ()):
            if isinstance(meta, Meta) and meta.description:
                setting = Setting(
                    name=field.name,
                    type=field.type,
                    default=field.default,
                    doc=meta.description,
                    **(meta.extra or {}),
                )
                table.append(setting)
    return tuple(table)


def mask_url(url: str) -> str:
    """Returns `url` without the password that it may hold."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", url)

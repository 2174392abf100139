"""Secret values, and descriptions of settings for the file, flags and variables."""

import re
from typing import Annotated, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import fields

from antiphon.wire.json import JSON

Seconds = Annotated[float, Meta(gt=0)]
"""Positive duration in seconds."""

_LONG_SECRET = 8
"""Characters from which on a secret occurs in other words only on purpose."""


class Secret:
    """Confidential value, masked wherever it is printed."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def masked(self, text: str) -> str:
        """Return `text` with the value masked; a short one only where it is a word of its own."""
        if len(self._value) >= _LONG_SECRET:
            return text.replace(self._value, "***")
        return re.sub(rf"(?<!\w){re.escape(self._value)}(?!\w)", "***", text) if self._value else text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Duration:
    """Length of time, written as a number with a unit, such as `30d`.

    Raises:
        ValueError: The text has another form, or the length is zero.
    """

    __slots__ = ("_text", "seconds")

    def __init__(self, text: str) -> None:
        found = _DURATION.fullmatch(text)
        if found is None or not int(found[1]):
            raise ValueError("expected a duration such as 30d, 12h or 90m")
        self._text = text
        self.seconds = int(found[1]) * _UNITS[found[2]]
        """The length in seconds."""

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Duration({self._text!r})"


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
_DURATION = re.compile(rf"([0-9]{{1,6}})([{''.join(_UNITS)}])")

ENV_PREFIX = "ANTIPHON_"
"""Prefix of the environment variables that hold settings."""


class Setting(Struct, frozen=True, kw_only=True):
    """One setting, with its names in the file, the environment and flags."""

    name: str
    """Name of the field, and key in `antiphon.toml` unless there is `own_key`."""
    type: object
    """Annotation of the field, passed to `msgspec.convert`."""
    default: object
    """Default; `msgspec.NODEFAULT` if there is none or if it depends on the machine."""
    doc: str
    """Description for `--help` and the documentation."""
    own_flag: str | None = None
    """Flag, if it does not follow from the name."""
    own_key: str | None = None
    """Key in `antiphon.toml`, if it is not the name of the field."""
    table: str | None = None
    """Table of `antiphon.toml` that contains the key; None for the top level."""
    separator: str = "\n"
    """Separator between the entries of a list in a variable."""

    @property
    def flag(self) -> str:
        """Command-line flag."""
        return self.own_flag or "--" + self.name.replace("_", "-")

    @property
    def env(self) -> str:
        """Environment variable."""
        return ENV_PREFIX + self.name.upper()

    @property
    def file_key(self) -> str:
        """Key in its table of `antiphon.toml`."""
        return self.own_key or self.name

    @property
    def key(self) -> str:
        """Key, preceded by its table."""
        return f"[{self.table}] {self.file_key}" if self.table else self.file_key


def describe(struct: type[Struct]) -> tuple[Setting, ...]:
    """Return the documented fields of `struct`, in order.

    The `description` of a field's `Meta` is the documentation, and `extra` holds further attributes of
    `Setting`.
    """
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


def kind_text(setting: Setting) -> str:
    """Return the kind of a setting's value.

    Returns:
        `text`, `integer`, `number`, `switch`, `duration`, `list`, `table`, or the choices separated by `|`.
    """
    annotation: JSON = setting.type
    while arguments := get_args(annotation):
        if isinstance(arguments[0], str):
            return "|".join(arguments)
        origin: object = get_origin(annotation)
        if origin is tuple:
            return "list"
        if origin is dict:
            return "table"
        annotation = arguments[0]
    names: dict[JSON, str] = {bool: "switch", int: "integer", float: "number", Duration: "duration"}
    return names.get(annotation, "text")


def mask_url(url: str) -> str:
    """Return `url` with its password masked, if it contains one."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", url)

"""Strict reading of a TOML or JSON table: keys known, values of their type, errors that name the full path."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, NoReturn

from argosy.errors import UsageError, did_you_mean

_NAMES = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table"}
_NAMES[datetime.datetime] = "a date with a time"


class Table:
    """One table of file `where`, at key path `path` ("" for the whole file), that may hold only the `known` keys.

    Each reading method gives the value of one key, the `default` where the key is absent, or raises UsageError:
    a key without a default must be there.
    """

    def __init__(self, where: str, path: str, values: object, known: Iterable[str]) -> None:
        self.where = where
        self.path = path
        self.known = tuple(known)
        if not isinstance(values, dict):
            self.fail("", f"must be a table, not {describe(values)}")
        self.values: dict[str, Any] = values
        for key in values:
            if key not in self.known:
                self.fail(str(key), f"unknown key; {did_you_mean(str(key), self.known)}")

    def at(self, key: str) -> str:
        """The full path of `key`."""
        return ".".join(part for part in (self.path, key) if part)

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise the UsageError that names file and key."""
        path = self.at(key)
        raise UsageError(f"{self.where}: {path}: {problem}" if path else f"{self.where}: {problem}")

    def has(self, key: str) -> bool:
        return key in self.values

    def _value(self, key: str, kind: type, default: Any) -> Any:
        if key not in self.values:
            if default is None:
                self.fail(key, f"missing; {_NAMES[kind]} is needed here")
            return default
        value = self.values[key]
        fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and kind is not bool):
            self.fail(key, f"must be {_NAMES[kind]}, not {describe(value)}")
        return value

    def text(self, key: str, default: str | None = None, *, pattern: str = "", form: str = "") -> str:
        """Text that matches `pattern` wholly; `form` describes it to the user."""
        value: str = self._value(key, str, default)
        if key in self.values and pattern and not re.fullmatch(pattern, value):
            self.fail(key, f"{value!r} is not {form}")
        return value

    def choice(self, key: str, choices: Iterable[str], default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in (names := list(choices)):
            self.fail(key, f"{value!r} is not known here; {did_you_mean(value, names)}")
        return value

    def truth(self, key: str, default: bool | None = None) -> bool:
        value: bool = self._value(key, bool, default)
        return value

    def whole(self, key: str, default: int | None = None, *, least: int = 0, most: int = 2**63) -> int:
        value: int = self._value(key, int, default)
        if not least <= value <= most:
            self.fail(key, f"{value} is not between {least} and {most}")
        return value

    def moment(self, key: str) -> datetime.datetime | None:
        """A date with a time and its offset from UTC (TOML's offset date-time); None where absent."""
        if key not in self.values:
            return None
        value: datetime.datetime = self._value(key, datetime.datetime, None)
        if value.tzinfo is None:
            self.fail(key, "says no offset from UTC; write it as in 2027-06-30T00:00:00Z")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        return float(self._value(key, float, default))

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts."""
        values = self._value(key, list, default)
        for position, value in enumerate(values):
            if not isinstance(value, str):
                self.fail(f"{key}[{position}]", f"must be text, not {describe(value)}")
        return tuple(values)

    def text_table(self, key: str) -> Mapping[str, str]:
        """A table of texts; empty where absent."""
        values: dict[str, object] = self._value(key, dict, {})
        for name, value in values.items():
            if not isinstance(value, str):
                self.fail(f"{key}.{name}", f"must be text, not {describe(value)}")
        return {name: str(value) for name, value in values.items()}

    def table(self, key: str, known: Iterable[str]) -> Table:
        """The table at `key`; an empty one where absent."""
        return Table(self.where, self.at(key), self.values.get(key, {}), known)

    def tables(self, key: str, known: Iterable[str]) -> tuple[Table, ...]:
        """A list of tables; empty where absent."""
        values: list[object] = self._value(key, list, [])
        names = tuple(known)
        return tuple(Table(self.where, self.at(f"{key}[{n}]"), value, names) for n, value in enumerate(values))

    def path_inside(self, key: str, default: str | None = None) -> str:
        """A relative path that stays below its folder."""
        value = self.text(key, default)
        return self.checked_path(key, value) if key in self.values else value

    def paths_inside(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of relative paths (or patterns) that stay below their folder."""
        values = self.texts(key, default)
        return tuple(self.checked_path(f"{key}[{n}]", value) for n, value in enumerate(values))

    def checked_path(self, key: str, value: str) -> str:
        """`value` where it is a relative path without `..`."""
        path = PurePosixPath(value)
        if not value or path.is_absolute() or ".." in path.parts or "\0" in value:
            self.fail(key, f"{value!r} must be a path below this folder, without '..'")
        return value


def describe(value: object) -> str:
    """What kind of thing a wrong value is, for an error message."""
    return _NAMES.get(type(value), type(value).__name__)

"""The most that runs of a repository's artifacts may be granted, by the policy; and what a run asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from argosy.model.quantity import parse_duration, parse_size
from argosy.model.strict import Table

CEILING_KEYS = ("memory", "time", "read", "write", "environment", "spawn", "connect")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a run asks to be granted: bytes of each process's memory and seconds (None: without limit), the node's
    folders by their real paths, links resolved, and whether they may be written, variables' names, processes to start,
    connections."""

    memory: int | None
    seconds: int | None
    folders: Mapping[str, bool]
    environment: Sequence[str]
    spawn: int
    connect: bool


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """What a policy's rule lets be granted; None is no limit.

    `memory` in bytes and `seconds` are also what a run has that asks for no number. `read` and `write` are folders of
    the node in or below which folders may be granted (to write is to read as well), `environment` the names of
    variables, where `*` at the end stands for any rest.
    """

    memory: int | None = None
    seconds: int | None = None
    read: tuple[str, ...] | None = None
    write: tuple[str, ...] | None = None
    environment: tuple[str, ...] | None = None
    spawn: int | None = None
    connect: bool = True

    def refusals(self, asked: Request) -> tuple[str, ...]:
        """What of the request is more than this, each in words; empty where nothing is."""
        found = []
        if self.memory is not None and (asked.memory or 0) > self.memory:
            found.append(f"{asked.memory} bytes of memory, of at most {self.memory}")
        if self.seconds is not None and (asked.seconds or 0) > self.seconds:
            found.append(f"{asked.seconds} seconds, of at most {self.seconds}")
        for folder, writable in asked.folders.items():
            if not self._allows(folder, writable=writable):
                found.append(f"the folder {folder} to {'write' if writable else 'read'}")
        if self.environment is not None:
            found += [f"the variable {name}" for name in asked.environment if not _fits(name, self.environment)]
        if self.spawn is not None and asked.spawn > self.spawn:
            found.append(f"{asked.spawn} processes to start, of at most {self.spawn}")
        if asked.connect and not self.connect:
            found.append("connections to other jobs")
        return tuple(found)

    def _allows(self, folder: str, *, writable: bool) -> bool:
        if self.write is None and (writable or self.read is None):
            return True
        if self.write is not None and _is_below(folder, self.write):
            return True
        return not writable and (self.read is None or _is_below(folder, self.read))


UNLIMITED = Ceiling()


def _is_below(folder: str, allowed: Sequence[str]) -> bool:
    return any(PurePosixPath(folder).is_relative_to(one) for one in allowed)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in patterns)


def parse_ceiling(table: Table) -> Ceiling:
    """The table `grants` of a rule. Raises UsageError naming the key that is wrong."""
    return Ceiling(
        memory=parse_size(table.text("memory")) if table.has("memory") else None,
        seconds=parse_duration(table.text("time")) if table.has("time") else None,
        read=_folders(table, "read"),
        write=_folders(table, "write"),
        environment=table.texts("environment") if table.has("environment") else None,
        spawn=table.whole("spawn") if table.has("spawn") else None,
        connect=table.truth("connect", True),
    )


def _folders(table: Table, key: str) -> tuple[str, ...] | None:
    if not table.has(key):
        return None
    folders = table.texts(key)
    for position, folder in enumerate(folders):
        path = PurePosixPath(folder)
        if not path.is_absolute() or ".." in path.parts:
            table.fail(f"{key}[{position}]", f"{folder!r} is not an absolute path")
    return folders

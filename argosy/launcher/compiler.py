"""The C compiler of this node: its own, or zig's, which needs nothing of the system."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.folders import cache_root


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """A C compiler: the words that run it, and variables that are added to its environment.

    `identity` changes with the compiler; `chosen` says why this one.
    """

    command: tuple[str, ...]
    identity: str
    chosen: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_zig(self) -> bool:
        """Whether it is zig's, which needs no system compiler, header or linker."""
        return Path(self.command[0]).name == "zig"


def find() -> Compiler:
    """`$CC`, else cc, gcc or clang on PATH, else `zig cc` of the ziglang wheel; raises ArgosyError without one."""
    given = os.environ.get("CC")
    if given:
        words = shlex.split(given)
        program = shutil.which(words[0]) if words else None
        if program is None:
            raise ArgosyError(f"$CC names {given!r}, which is no program here", advice="unset it, or name a C compiler")
        return _compiler(Path(program), *words[1:], chosen="$CC")
    for name in ("cc", "gcc", "clang"):
        program = shutil.which(name)
        if program is not None:
            return _compiler(Path(program), chosen=f"{name} on PATH")
    zig = _zig()
    if zig is not None:
        # zig keeps what it builds; in our cache, since the home folder may be read-only. Its C is for debugging unless
        # told otherwise: no sanitizer that traps.
        folder = str(cache_root() / "zig")
        environment = {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder}
        chosen = "the ziglang wheel of this Python, since there is no cc, gcc or clang on PATH"
        return _compiler(zig, "cc", "-fno-sanitize=all", chosen=chosen, environment=environment)
    raise ArgosyError(
        "this node has no C compiler, and the launcher is built here, against the node's own MPI",
        advice="`pip install ziglang` brings one that needs no other package; so does Debian's gcc with libc6-dev",
    )


def _compiler(program: Path, *words: str, chosen: str, environment: Mapping[str, str] | None = None) -> Compiler:
    status = program.resolve().stat()
    identity = f"{program.resolve()} {' '.join(words)} {status.st_size} {status.st_mtime_ns}"
    command = (str(program), *words)
    return Compiler(command=command, identity=identity, chosen=chosen, environment=environment or {})


def _zig() -> Path | None:
    specification = importlib.util.find_spec("ziglang")
    if specification is None or specification.origin is None:
        return None
    program = Path(specification.origin).with_name("zig")
    return program if os.access(program, os.X_OK) else None

"""A launcher whose glue is instrumented by AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import subprocess
from pathlib import Path

from needs import need

from argosy.launcher import build, compiler
from argosy.launcher.mpi_library import MpiLibrary
from argosy.site import run

FLAGS = ("-fsanitize=address,undefined", "-fno-omit-frame-pointer")
# wasmtime handles signals of its own; what a job leaves when it ends is no leak of the glue's.
_ASAN = "handle_segv=0:handle_sigill=0:handle_sigfpe=0:use_sigaltstack=0:detect_leaks=0:allocator_may_return_null=1"


def environment() -> dict[str, str]:
    """What ranks need in theirs; the test is skipped (in CI: fails) where there are no sanitizers."""
    libraries = []
    for name in ("libasan.so", "libubsan.so"):
        found = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        if not Path(found).is_absolute():
            need(name, "apt-get install gcc libasan8 libubsan1")
        libraries.append(found)
    if "zig" in " ".join(map(str, compiler.find().command)):
        need("gcc", "apt-get install gcc")
    return {"LD_PRELOAD": ":".join(libraries), "ASAN_OPTIONS": _ASAN}


def settings() -> tuple[tuple[object, str, object], ...]:
    """What to set for a process to build and start instrumented launchers: the place, the name, the value.

    The flags are part of a launcher's key, so instrumented ones lie beside the others in the cache.
    """
    plain, plain_flags = build._compile_flags, build._FLAGS

    def flags(mpi: MpiLibrary) -> tuple[str, ...]:
        return (*plain(mpi), *FLAGS)

    return (
        (build, "_compile_flags", flags),
        (build, "_FLAGS", (*plain_flags, "-DARGOSY_SANITIZED")),
        # The launcher's own check of what the node has would start without the sanitizers' libraries.
        (run, "check", lambda *arguments: None),
    )


def use() -> dict[str, str]:
    """From now on this process builds and starts instrumented launchers only; gives environment()."""
    for place, name, value in settings():
        setattr(place, name, value)
    return environment()

"""What this node has for running artifacts, what it lacks, what each part is for and how to get it.

Looking changes nothing: no part is built, downloaded or repaired here.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
import resource
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.folders import cache_root
from argosy.launcher import build, compiler, mpi_library
from argosy.sign.trust import load_trust
from argosy.site import cpu, engine

OK, MISSING, WARNING, ABSENT = "ok", "missing", "warning", "absent"

# What of an MPI library makes another launcher, without and with the MPI ABI.
_LIBRARY_CHANGES = {
    False: ("the MPI library's files", "its mpi.h", "its mpicc's flags"),
    True: ("the version of the MPI ABI", "which functions its mpi_abi.h declares"),
}
_LITTLE_SPACE = 1 << 30  # bytes free below which a build or an AOT cache may soon fail


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing that Argosy uses.

    `state` is ok, warning, missing, or absent for what one can do without; `needed` says whether a run is impossible
    without it. `found` is what is there, `purpose` what it is for, `advice` how to get it or mend it, and `facts` the
    same for scripts.
    """

    name: str
    state: str
    needed: bool = False
    found: str
    purpose: str
    advice: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


def node_parts() -> tuple[Part, ...]:
    """The parts that running needs, in the order in which they are used."""
    looks = (_python, _engine, _processor, _addresses, _mpi, _compiler, _launcher, _policy, _cache, _aot_cache, _disk)
    return tuple(look() for look in looks)


def can_run(parts: tuple[Part, ...]) -> bool:
    """Whether nothing that a run needs is missing."""
    return not any(part.needed and part.state == MISSING for part in parts)


def _python() -> Part:
    version = platform.python_version()
    return Part(
        name="Python",
        state=OK,
        needed=True,
        found=f"{version}, {sys.executable}",
        purpose="the command argosy itself; no rank runs it",
        facts={"version": version, "executable": sys.executable},
    )


def _engine() -> Part:
    purpose = "compiles wasm for this CPU and runs it"
    try:
        version = importlib.metadata.version("wasmtime")
        import wasmtime

        folder = Path(wasmtime.__file__).parent
    except (ImportError, OSError, RuntimeError) as error:
        wanted = next((r for r in importlib.metadata.requires("argosy") or [] if r.startswith("wasmtime")), "wasmtime")
        return Part(
            name="wasmtime",
            state=MISSING,
            needed=True,
            found=f"not usable: {error}",
            purpose=purpose,
            advice=f"{sys.executable} -m pip install '{wanted}'; it exists for 64-bit x86 and Arm only",
        )
    return Part(
        name="wasmtime",
        state=OK,
        needed=True,
        found=f"{version}, {folder}",
        purpose=purpose,
        facts={"version": version, "folder": str(folder)},
    )


def _processor() -> Part:
    purpose = "what native code is compiled for"
    try:
        target = cpu.host()
    except (ArgosyError, ImportError, OSError, RuntimeError) as error:
        what, advice = (error.what, error.advice) if isinstance(error, ArgosyError) else (str(error), "see wasmtime")
        return Part(name="CPU", state=MISSING, needed=True, found=what, purpose=purpose, advice=advice)
    features = sorted(feature.removeprefix("has_") for feature in target.features)
    return Part(
        name="CPU",
        state=OK,
        needed=True,
        found=f"{target.triple}\n{' '.join(features)}",
        purpose=purpose,
        facts={"triple": target.triple, "features": sorted(target.features)},
    )


def _addresses() -> Part:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    endless = limit == resource.RLIM_INFINITY
    bounds = engine.bounds_here()
    found = "without limit" if endless else f"{limit / 2**30:.1f} GiB (ulimit -v)"
    enough = bounds == "guard"
    return Part(
        name="addresses",
        state=OK if enough else WARNING,
        found=found if enough else f"{found}: code checks its bounds, and is slower",
        purpose="a guest has 4 GiB of them to itself, so that the hardware finds what is out of its bounds",
        advice="" if enough else f"raise the limit to {engine.GUARD_ADDRESSES >> 30} GiB",
        facts={"limit": None if endless else limit, "bounds": bounds},
    )


def _mpi() -> Part:
    purpose = "carries the messages between ranks; the launcher is built against it"
    try:
        library = mpi_library.find()
    except ArgosyError as error:
        return Part(
            name="MPI", state=MISSING, needed=True, found=error.what, purpose=purpose, advice=_mpi_advice(error.advice)
        )
    lines = [f"{library.kind} {library.version}, {library.mpicc} (chosen: {library.chosen})"]
    advice = ""
    if library.mpiexec is None:
        advice = "start ranks by srun, or name its process manager: export ARGOSY_MPIEXEC=/path/of/mpiexec"
        lines.append("no mpiexec beside it")
    others = _other_mpis(library.mpicc)
    if others:
        lines.append(f"also here, by $ARGOSY_MPICC: {', '.join(others)}")
    return Part(
        name="MPI",
        state=OK if library.mpiexec is not None else WARNING,
        needed=True,
        found="\n".join(lines),
        purpose=purpose,
        advice=advice,
        facts={
            "kind": library.kind,
            "version": library.version,
            "mpicc": str(library.mpicc),
            "mpiexec": str(library.mpiexec) if library.mpiexec else None,
            "chosen": library.chosen,
            "others": others,
        },
    )


def _mpi_advice(advice: str) -> str:
    return advice or f"{sys.executable} -m pip install mpich, or: apt install mpich libmpich-dev"


def _other_mpis(chosen: Path) -> list[str]:
    """Every other `mpicc` on PATH and beside this Python."""
    folders = [Path(folder) for folder in os.get_exec_path()] + [Path(sys.prefix, "bin")]
    found = {path.resolve(): path for folder in folders for path in sorted(folder.glob("mpicc*")) if _runs(path)}
    found.pop(chosen.resolve(), None)
    return sorted(str(path) for path in found.values())


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _compiler() -> Part:
    purpose = "builds the launcher, once for each MPI library"
    try:
        found = compiler.find()
    except ArgosyError as error:
        return Part(
            name="C compiler", state=MISSING, needed=True, found=error.what, purpose=purpose, advice=error.advice
        )
    return Part(
        name="C compiler",
        state=OK,
        needed=True,
        found=f"{' '.join(found.command)} (chosen: {found.chosen})",
        purpose=purpose,
        facts={"command": list(found.command), "chosen": found.chosen},
    )


def _launcher() -> Part:
    """Which launcher a run would use: what it is built against, by what, and whether it is there already."""
    purpose = "starts each rank"
    all_built = sorted(str(path.parent) for path in (cache_root() / "launchers").glob("*/argosy-launch"))
    try:
        library, tools = mpi_library.find(), compiler.find()
        folder, is_built = build.place(library)
    except (ArgosyError, ImportError, OSError) as error:
        what = error.what if isinstance(error, ArgosyError) else str(error)
        found = f"not to be had yet: {what}"
        return Part(
            name="launcher", state=OK, found=found, purpose=purpose, facts={"is_built": False, "all": all_built}
        )
    named = f"{library.kind} {library.version}"
    if library.is_abi:
        form = f"against the {named}: one for every library that has it; this node's is loaded at start"
    else:
        form = f"against the header of {named}, for that library alone"
    rebuilt_by = ["Argosy", "wasmtime", "the C compiler", *_LIBRARY_CHANGES[library.is_abi]]
    others = len(all_built) - is_built
    lines = [
        f"built: {folder}" if is_built else "not built yet: the first run builds it, which takes some seconds",
        f"{form} (chosen: {library.chosen})",
        f"compiled by {Path(tools.command[0]).name}{' cc' if tools.is_zig else ''} (chosen: {tools.chosen})",
        f"built again when one of these changes: {', '.join(rebuilt_by)}",
        *([f"{others} more in the cache, for other libraries and versions"] if others else []),
    ]
    return Part(
        name="launcher",
        state=OK,
        found="\n".join(lines),
        purpose=purpose,
        facts={
            "form": "abi" if library.is_abi else "library",
            "against": named,
            "compiled_by": "zig cc" if tools.is_zig else "system compiler",
            "folder": str(folder),
            "is_built": is_built,
            "rebuilt_by": rebuilt_by,
            "all": all_built,
        },
    )


_SOON = datetime.timedelta(days=30)


def _policy() -> Part:
    purpose = "says whose signatures are trusted; without one nothing but --unsigned files runs"
    try:
        trust = load_trust()
    except ArgosyError as error:
        advice = "argosy keys trust PUBLIC-KEY 'HOST/REPOSITORY' makes a first one"
        return Part(name="trust policy", state=WARNING, found=error.what, purpose=purpose, advice=advice)
    keys = {name: str(key.fingerprint) for name, key in trust.keys.items()}
    policy = trust.policy
    endings = policy.endings(datetime.datetime.now(datetime.UTC), within=_SOON)
    counts = f"{policy.source}, {len(keys)} keys, {len(policy.rules)} rules"
    return Part(
        name="trust policy",
        state=WARNING if endings else OK,
        found="; ".join([counts, *endings]),
        purpose=purpose,
        advice="renew it before jobs are refused; `argosy keys show` shows all of it" if endings else "",
        facts={"file": policy.source, "keys": keys, "endings": endings},
    )


def _cache() -> Part:
    root = cache_root()
    place = _nearest(root)
    writable = os.access(place, os.W_OK | os.X_OK)
    return Part(
        name="cache",
        state=OK if writable else MISSING,
        needed=True,
        found=f"{root}{'' if root.exists() else ' (made when first used)'}{'' if writable else ': not writable'}",
        purpose="keeps toolchains, sources, launchers, verified modules and native code",
        advice="" if writable else "choose a folder of your own: export ARGOSY_CACHE=/some/folder",
        facts={"folder": str(root), "exists": root.exists(), "writable": writable},
    )


def _aot_cache() -> Part:
    folder = cache_root() / "aot"
    entries = size = 0
    for path in folder.rglob("*.cwasm"):
        with contextlib.suppress(FileNotFoundError):  # another process has just put a new one in its place
            size += path.stat().st_size
            entries += 1
    return Part(
        name="AOT cache",
        state=OK,
        found=f"{folder}, {entries} modules, {size / 2**20:.1f} MiB",
        purpose="native code of each module for this CPU, compiled once",
        facts={"folder": str(folder), "entries": entries, "bytes": size},
    )


def _disk() -> Part:
    place = _nearest(cache_root())
    free = shutil.disk_usage(place).free
    enough = free >= _LITTLE_SPACE
    return Part(
        name="disk",
        state=OK if enough else WARNING,
        found=f"{free / 2**30:.1f} GiB free where the cache is",
        purpose="a toolchain takes 0.6 GiB, an application's native code some MiB",
        advice="" if enough else "free some space, or choose another folder: export ARGOSY_CACHE=/some/folder",
        facts={"free": free},
    )


def _nearest(folder: Path) -> Path:
    """The folder itself, or the closest above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())

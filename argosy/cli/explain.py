"""What `argosy run --explain` says: what a run is granted, what its publisher says that it asks for, and the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from argosy.cli.output import print_json, print_pairs, printable, size

if TYPE_CHECKING:
    from argosy.cli.module import ChosenModule
    from argosy.model.artifact import Description
    from argosy.site.run import Grants

_MOST_MEMORY = 1 << 32


def explain(module: ChosenModule, grants: Grants, *, ranks: int | None, as_json: bool) -> None:
    """Print it. Nothing is compiled or started."""
    lacking = _lacking(module.asks, grants)
    if as_json:
        print_json(
            {
                "application": module.name,
                "wasm": module.digest,
                "numerics": module.numerics,
                "ranks": ranks,
                "granted": {**_granted(grants), "network": False},
                "asks": _asks(module.asks),
                "not_granted": lacking,
                "policy": module.ceiling,
            }
        )
        return
    print_pairs([("application", printable(module.name)), ("module", str(module.digest))])
    print("\nit is granted")
    folders = [f"{one.host} as {one.guest!r}, {'read and write' if one.writable else 'read'}" for one in grants.folders]
    memory = f"{size(grants.memory or _MOST_MEMORY)} in each process"
    print_pairs(
        [
            ("folders", "\n".join(map(printable, folders)) or "none"),
            ("variables", ", ".join(map(printable, grants.environment)) or "none"),
            ("memory", memory if grants.memory else f"{memory}: all that its addresses reach"),
            ("time", f"{grants.seconds} seconds" if grants.seconds else "without limit"),
            ("processes", f"{ranks or 1}" + (f", and {grants.spawn} that it may start" if grants.spawn else "")),
            ("other jobs", "may be connected to" if grants.connect else "none"),
            ("network", "none; MPI's messages go by the node's own library"),
        ],
        indent="  ",
    )
    print("\nits publisher says that it asks for")
    asked = _asks(module.asks)
    print_pairs([(key, ", ".join(map(printable, texts)) or "none") for key, texts in asked.items()], indent="  ")
    for text in lacking:
        print(f"  not granted: {printable(text)}")


def _granted(grants: Grants) -> dict[str, object]:
    return {
        "folders": [{"host": one.host, "guest": one.guest, "writable": one.writable} for one in grants.folders],
        "environment": dict(grants.environment),
        "memory": grants.memory or _MOST_MEMORY,
        "seconds": grants.seconds,
        "spawn": grants.spawn,
        "connect": grants.connect,
    }


def _asks(said: Description | None) -> dict[str, tuple[str, ...]]:
    if said is None:
        return {"folders": (), "variables": (), "memory": (), "time": ()}
    return {
        "folders": said.folders,
        "variables": said.environment,
        "memory": () if said.memory is None else (size(said.memory),),
        "time": () if said.seconds is None else (f"{said.seconds} seconds",),
    }


def _lacking(said: Description | None, grants: Grants) -> list[str]:
    """What the publisher says that the application needs, and this run does not have."""
    if said is None:
        return []
    writable = {one.guest: one.writable for one in grants.folders}
    found = []
    for text in said.folders:
        folder = text.removesuffix(":ro")
        if folder not in writable:
            option = "--read-only" if text.endswith(":ro") else "--dir"
            found.append(f"the folder {folder}: {option} {folder if folder == '.' else f'HOST::{folder}'}")
        elif not writable[folder] and not text.endswith(":ro"):
            found.append(f"writing to the folder {folder}: --dir HOST::{folder}")
    found += [f"the variable {name}: --env {name}" for name in said.environment if name not in grants.environment]
    if said.memory is not None and said.memory > (grants.memory or _MOST_MEMORY):
        found.append(f"{size(said.memory)} of memory")
    if said.seconds is not None and grants.seconds is not None and said.seconds > grants.seconds:
        found.append(f"{said.seconds} seconds")
    return found

"""Where each procedure of the standard lives: in the node's MPI, in the guest itself, or nowhere yet, and why."""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Mapping

from argosy.mpi.api import Procedure, procedures

MODULE = "argosy_mpi_1"  # the wasm module name of every import; the number is the ABI's major version


class Place(enum.Enum):
    """Who does the work of a procedure."""

    NODE = "node"  # an import: the launcher calls the node's MPI
    GUEST = "guest"  # C in the import library, leaving the guest only through other procedures
    ABSENT = "absent"  # not declared in mpi.h


# What the guest does for itself: it needs only its own memory, or other procedures.
_GUEST = re.compile(
    r"""MPI_(
        Pcontrol | Aint_add | Aint_diff | Get_address | Alloc_mem | Free_mem
      | Abi_\w+ | Get_version | Info_create_env
      | \w+_(toint|fromint|c2f|f2c) | Status_(c2f08|f082c|f082f|f2f08)
      | Status_(get|set)_(source|tag|error)
      | Attr_(get|put|delete) | Keyval_(create|free)
    )""",
    re.VERBOSE,
)

_REASONS: tuple[tuple[str, str], ...] = (
    (r"MPI_Comm_join", "takes a connected socket, which a WASI guest cannot open and is never given"),
)


@functools.cache
def absent() -> Mapping[str, str]:
    """The procedures that guests cannot call yet, each with its reason."""
    found: dict[str, str] = {}
    for name in procedures():
        for pattern, reason in _REASONS:
            if re.fullmatch(pattern, name) and not _GUEST.fullmatch(name):
                found.setdefault(name, reason)
    return found


def place(name: str) -> Place:
    """Where the procedure of that name lives; raises KeyError for a name that the standard lacks."""
    procedure = procedures()[name]
    if _GUEST.fullmatch(procedure.name):
        return Place.GUEST
    return Place.ABSENT if name in absent() else Place.NODE


@functools.cache
def imports() -> Mapping[str, Procedure]:
    """What a guest may import from the node, by name, in alphabetical order."""
    return {name: procedure for name, procedure in procedures().items() if place(name) is Place.NODE}

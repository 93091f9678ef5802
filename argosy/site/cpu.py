"""This machine's CPU as wasmtime sees it: what code may use, not what the CPU is called."""

from __future__ import annotations

import functools
import platform

from argosy.errors import ArgosyError
from argosy.model.target import Target
from argosy.site import elf, engine
from argosy.site.elf import Precompiled

_EMPTY_MODULE = b"\0asm\x01\0\0\0"
_SUPPORTED = ("x86_64", "aarch64")


def host() -> Target:
    """The target that wasmtime compiles for here when told nothing: its own detection of this CPU (cpuid, hwcap).

    The empty module is compiled and its record read. Raises ArgosyError on a machine for which there is no wasmtime.
    """
    return _empty_record().target


def require_compilable(target: Target) -> None:
    """Raises ArgosyError naming why wasmtime cannot compile for `target` on this machine.

    The Cranelift of its library has this machine's architecture alone, and a module that it has compiled it also loads,
    so the machine must have all that the code may use.
    """
    record = _empty_record()
    if target.triple != record.target.triple:
        raise ArgosyError(
            f"cannot compile for {target.architecture} on {record.target.architecture}",
            advice=f"run it on a machine with an {target.architecture} CPU, of whatever kind",
        )
    unknown = target.features - record.known_features
    if unknown:
        raise ArgosyError(
            f"wasmtime {engine.wasmtime_version()} knows no {', '.join(sorted(unknown))} of {target.architecture}",
            advice=f"it knows {' '.join(sorted(record.known_features))}",
        )
    missing = record.target.missing_for(target)
    if missing:
        raise ArgosyError(
            f"cannot compile here for a CPU with {', '.join(sorted(missing))}: this one lacks that, and wasmtime's "
            "library compiles for no more than its own machine has",
            advice="run it on such a CPU, or compile for less: that code runs there as well",
        )


@functools.cache
def _empty_record() -> Precompiled:
    require_supported_machine()
    import wasmtime

    code = wasmtime.Module(wasmtime.Engine(engine.config("fast")), _EMPTY_MODULE).serialize()
    return elf.read(bytes(code), name="the empty module")


def require_supported_machine() -> None:
    """Raises ArgosyError on machines that wasmtime has no native code for, such as 32-bit Arm."""
    machine = platform.machine()
    if machine not in _SUPPORTED:
        raise ArgosyError(
            f"no wasmtime for {machine}: it runs on 64-bit x86 and 64-bit Arm",
            advice="on a Raspberry Pi 3 or later, a 64-bit operating system does",
        )

"""What another machine's CPU has, by its /proc/cpuinfo: so that a login node can tell, and prepare, what its nodes run.

Here and now a CPU is asked itself (`site.cpu`). The kernel's words are those of arch/x86/include/asm/cpufeatures.h and
Documentation/arch/arm64/elf_hwcaps.rst; the flags those of Cranelift, which takes the same ones from cpuid and hwcap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from argosy.errors import UsageError
from argosy.model.target import Target

_MOST = 64 << 20  # bytes; thousands of hardware threads take a tenth of that

# Cranelift's flag, and the kernel's words that a CPU must all show for it.
_X86: Mapping[str, tuple[str, ...]] = {
    "has_sse3": ("pni",),
    "has_ssse3": ("ssse3",),
    "has_sse41": ("sse4_1",),
    "has_sse42": ("sse4_2",),
    "has_popcnt": ("popcnt",),
    "has_cmpxchg16b": ("cx16",),
    "has_avx": ("avx",),
    "has_avx2": ("avx2",),
    "has_fma": ("fma",),
    "has_bmi1": ("bmi1",),
    "has_bmi2": ("bmi2",),
    "has_lzcnt": ("abm",),
    "has_avx512bitalg": ("avx512_bitalg",),
    "has_avx512dq": ("avx512dq",),
    "has_avx512f": ("avx512f",),
    "has_avx512vl": ("avx512vl",),
    "has_avx512vbmi": ("avx512vbmi",),
    "has_avx512vnni": ("avx512_vnni",),
    "has_avx_vnni": ("avx_vnni",),
}
_ARM: Mapping[str, tuple[str, ...]] = {
    "has_lse": ("atomics",),
    "has_pauth": ("paca",),
    "has_fp16": ("fphp", "asimdhp"),
    "has_dotprod": ("asimddp",),
    "has_i8mm": ("i8mm",),
}
_64_BIT_ARM = "asimd"  # on every 64-bit Arm kernel, on no 32-bit one


def read(path: Path) -> Target:
    """What the machine whose /proc/cpuinfo is in this file has on all of its cores.

    Raises UsageError for a file that is not one, and for machines without wasmtime, such as 32-bit Arm.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _MOST:
        raise UsageError(f"{path} has more than {_MOST >> 20} MiB: it is no /proc/cpuinfo")
    return parse(data.decode(errors="replace"), source=str(path))


def parse(text: str, *, source: str) -> Target:
    """The same of a text; `source` is for messages."""
    x86, arm = list(_words(text, "flags")), list(_words(text, "Features"))
    if x86 and not arm:
        common = frozenset.intersection(*x86)
        if "lm" not in common:
            raise _no_wasmtime(source, "a 32-bit x86 CPU")
        return _target("x86_64-unknown-linux-gnu", _X86, common)
    if arm and not x86:
        common = frozenset.intersection(*arm)
        if _64_BIT_ARM not in common:
            raise _no_wasmtime(source, "a 32-bit Arm system")
        return _target("aarch64-unknown-linux-gnu", _ARM, common)
    raise UsageError(f"{source} is no /proc/cpuinfo of a 64-bit x86 or Arm machine")


def _words(text: str, field: str) -> Iterator[frozenset[str]]:
    """The words of every line `field : …`, one set a core."""
    for line in text.splitlines():
        name, colon, words = line.partition(":")
        if colon and name.strip() == field:
            yield frozenset(words.split())


def _target(triple: str, flags: Mapping[str, tuple[str, ...]], words: frozenset[str]) -> Target:
    return Target(triple=triple, features=frozenset(flag for flag, needed in flags.items() if words.issuperset(needed)))


def _no_wasmtime(source: str, what: str) -> UsageError:
    return UsageError(
        f"{source} is of {what}: there is no wasmtime for it",
        advice="on a Raspberry Pi 3 or later, a 64-bit operating system has one",
    )

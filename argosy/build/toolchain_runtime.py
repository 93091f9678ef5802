"""The C++ runtime with exceptions: libc++, libc++abi and libunwind, compiled when the first C++ code needs them.

The npm package's C++ libraries are built without exceptions, so a program that throws would not link. The compiler's
package has the sources of the same LLVM release; a `packages` prefix keeps them, and here they are compiled for wasm's
exception handling, as LLVM's own build does (`libcxx/src/CMakeLists.txt`, `libcxxabi/src/CMakeLists.txt`).
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argosy import process
from argosy.build.toolchain_prefix import assembled, check, read_manifest
from argosy.folders import cache_root
from argosy.progress import progress

SOURCES = Path("share/cpp-runtime")  # in the prefix
FOLDERS = ("libcxx/src", "libcxx/libc", "libcxxabi/include", "libcxxabi/src", "libunwind/include", "libunwind/src")

# exnref, the form that engines agree on, not the legacy one that compilers still default to.
EXCEPTION_FLAGS = ("-fwasm-exceptions", "-mllvm", "-wasm-use-legacy-eh=false")

_COMMON = ("--target=wasm32-wasip1", "-O2", "-DNDEBUG", "-w", "-fvisibility-inlines-hidden", *EXCEPTION_FLAGS)
_BUILDING = ("-std=c++23", "-D_LIBCPP_BUILDING_LIBRARY")
_WITHOUT = {
    "cxa_noexception",  # the stand-in for a build without exceptions
    "cxa_thread_atexit",  # for systems whose C library has threads
}
# libc++ takes musl for a sign of Linux, but wasi-libc has no copy_file_range: say so, and it copies by streams.
_COMPATIBILITY = """\
#include <errno.h>
#include <sys/types.h>
static inline ssize_t copy_file_range(int, off_t *, int, off_t *, size_t, unsigned) { errno = EINVAL; return -1; }
"""
# The tag that every throw and catch refers to; no library of LLVM defines it.
_TAG = "\t.globl\t__cpp_exception\n\t.tagtype\t__cpp_exception i32\n__cpp_exception:\n"


def place(prefix: Path, digest: str) -> Path | None:
    """Where the runtime of this toolchain is or will be; None where its own C++ library must do."""
    if not (prefix / SOURCES).is_dir():
        return None
    key = hashlib.sha256(digest.encode() + Path(__file__).read_bytes()).hexdigest()
    return cache_root() / "cpp-runtime" / key[:16]


def ensure(prefix: Path, target: Path) -> None:
    """Make the runtime at `target` with the compiler of `prefix`, unless it is there.

    Raises ArgosyError when a source does not compile, or what is there is broken.
    """
    assembled(target.parent, target.name, lambda folder: _build(prefix, folder))
    check(target, read_manifest(target))


def _build(prefix: Path, folder: Path) -> Mapping[str, str]:
    with tempfile.TemporaryDirectory(prefix="argosy-cpp-") as scratch:
        parts = _parts(prefix / SOURCES, Path(scratch))
        commands = [_command(prefix, source, made, flags) for part in parts.values() for source, made, flags in part]
        bar = progress("compile the C++ runtime", len(commands), unit="file")
        with bar as advance, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for _ in pool.map(_compile, commands):
                advance()
        for name, part in parts.items():
            objects = [made for _, made, _ in part]
            process.check([prefix / "bin/llvm-ar", "rcsD", folder / f"{name}.a", *objects], purpose=f"archiving {name}")
    return {"provider": "cpp-runtime"}


def _parts(root: Path, scratch: Path) -> dict[str, list[tuple[Path, Path, Sequence[str]]]]:
    """For each library its sources, each with its object and flags."""
    header, tag = scratch / "compatibility.h", scratch / "own/tag.s"
    tag.parent.mkdir(exist_ok=True)
    header.write_text(_COMPATIBILITY)
    tag.write_text(_TAG)
    abi, cpp = root / "libcxxabi", root / "libcxx"
    unwind = ("-std=c23", "-D_LIBUNWIND_HIDE_SYMBOLS", f"-I{root}/libunwind/include")
    includes = (f"-I{abi}/include", f"-I{root}/libunwind/include", f"-I{cpp}/src", f"-I{cpp}/libc", f"-I{cpp}")
    abi_flags = (*_BUILDING, "-D_LIBCXXABI_BUILDING_LIBRARY", *includes)
    cpp_flags = (*_BUILDING, "-DLIBCXX_BUILDING_LIBCXXABI", "-include", str(header), *includes)
    abi_sources = [path for path in sorted(abi.glob("src/*.cpp")) if path.stem not in _WITHOUT]
    cpp_sources = [path for part in ("", "filesystem/", "ryu/") for path in sorted(cpp.glob(f"src/{part}*.cpp"))]
    return {
        "libunwind": [_made(root / "libunwind/src/Unwind-wasm.c", scratch, unwind), _made(tag, scratch, ())],
        "libc++abi": [_made(path, scratch, abi_flags) for path in abi_sources],
        "libc++": [_made(path, scratch, cpp_flags) for path in cpp_sources],
    }


def _made(source: Path, scratch: Path, flags: Sequence[str]) -> tuple[Path, Path, Sequence[str]]:
    return source, scratch / f"{source.parent.name}-{source.name}.o", flags


def _command(prefix: Path, source: Path, target: Path, flags: Sequence[str]) -> list[str]:
    driver = "clang++" if source.suffix == ".cpp" else "clang"
    sysroot = f"--sysroot={prefix}/share/wasi-sysroot"
    mapped = f"-ffile-prefix-map={prefix}=/toolchain"
    common = [str(prefix / "bin" / driver), sysroot, *_COMMON, *flags, mapped]
    return [*common, "-c", str(source), "-o", str(target)]


def _compile(command: Sequence[str]) -> None:
    process.check(command, purpose="compiling the C++ runtime", advice="`scons toolchain` says which compiler is used")


if __name__ == "__main__":  # called by the wrappers, when an upstream build first compiles C++
    ensure(Path(sys.argv[1]), Path(sys.argv[2]))

"""The toolchain provider `debian`: the distribution's clang, lld and wasi-libc, linked into the shape of a wasi-sdk.

Its libc++ has no `<fstream>`, so it compiles C only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from argosy.build.toolchain_pins import debian_pins, pin_file
from argosy.build.toolchain_prefix import assembled, describe
from argosy.errors import ArgosyError
from argosy.folders import cache_root

USR = Path("/usr")
_PROGRAMS = {"clang": "clang", "wasm-ld": "wasm-ld", "llvm-ar": "llvm-ar", "llvm-ranlib": "llvm-ranlib"}
_BUILTINS = "libclang_rt.builtins-wasm32.a"


def prefix(usr: Path | None = None) -> Path:
    """The prefix in the cache, with links into `usr` (default: `/usr`).

    Raises ArgosyError naming the packages where one is missing.
    """
    usr = usr or USR
    major = _newest(usr)
    files = [usr / f"lib/llvm-{major}/bin/clang", usr / "lib/wasm32-wasi/libc.a", _builtins(usr, major)]
    state = "".join(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}\n" for file in files)
    key = hashlib.sha256(state.encode() + Path(__file__).read_bytes()).hexdigest()
    return assembled(cache_root() / "toolchains", f"debian-{key[:12]}", lambda folder: _link(usr, major, folder))


def _builtins(usr: Path, major: int) -> Path:
    return usr / f"lib/llvm-{major}/lib/clang/{major}/lib/wasi/{_BUILTINS}"


def _newest(usr: Path) -> int:
    """The newest clang that has all of its parts for wasm32."""
    pins = debian_pins(pin_file("debian"))
    found = sorted(
        (int(folder.name.removeprefix("llvm-")) for folder in usr.glob("lib/llvm-*") if folder.name[5:].isdigit()),
        reverse=True,
    )
    for major in found:
        needed = [usr / f"lib/llvm-{major}/bin/{name}" for name in _PROGRAMS.values()]
        needed += [usr / "lib/wasm32-wasi/libc.a", _builtins(usr, major)]
        if major >= pins.oldest and all(path.exists() for path in needed):
            return major
    newest = max((major for major in found if major >= pins.oldest), default=19)
    packages = " ".join(name.format(newest) for name in pins.packages)
    raise ArgosyError(
        f"the distribution has no whole clang for wasm32 in {usr}",
        advice=f"apt-get install {packages}, or use ARGOSY_TOOLCHAIN=packages",
    )


def _link(usr: Path, major: int, folder: Path) -> Mapping[str, str]:
    llvm = usr / f"lib/llvm-{major}"
    resources = folder / f"lib/clang/{major}"
    sysroot = folder / "share/wasi-sysroot"
    for place in (folder / "bin", resources / "lib/wasm32-unknown-wasip1", sysroot / "include", sysroot / "lib"):
        place.mkdir(parents=True)
    for name, program in _PROGRAMS.items():
        (folder / "bin" / name).symlink_to(llvm / "bin" / program)
    # clang looks for its own files beside the real executable unless it is told otherwise: a launcher tells it. It
    # looks for Debian's wasm-ld-N on PATH; and for a wasm-opt to run behind our back, which must not be there.
    (folder / f"bin/wasm-ld-{major}").symlink_to(llvm / "bin/wasm-ld")
    (folder / "bin/clang").unlink()
    (folder / "bin/clang").write_text(
        f'#!/bin/sh\nPATH="${{0%/*}}" exec "{llvm}/bin/clang" -resource-dir "${{0%/*}}/../lib/clang/{major}" '
        '--target=wasm32-wasip1 --sysroot="${0%/*}/../share/wasi-sysroot" "$@"\n'
    )
    (folder / "bin/clang").chmod(0o755)
    (resources / "include").symlink_to(llvm / f"lib/clang/{major}/include")
    (resources / "lib/wasm32-unknown-wasip1/libclang_rt.builtins.a").symlink_to(_builtins(usr, major))
    (sysroot / "include/wasm32-wasip1").symlink_to(usr / "include/wasm32-wasi")
    (sysroot / "lib/wasm32-wasip1").symlink_to(usr / "lib/wasm32-wasi")
    return describe(folder, languages="c")

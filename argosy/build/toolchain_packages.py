"""The toolchain provider `packages`: clang from PyPI's ziglang, the sysroot from npm's @yowasp/clang.

`zig clang` is the plain clang driver, `zig wasm-ld` the plain linker. The zig executable goes into the prefix's `bin`,
so that clang finds `lib/clang/N` and the linker where it always looks for them: beside itself.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from argosy import process
from argosy.build.sources import fetch
from argosy.build.toolchain_pins import PackagesPins, machine, packages_pins, pin_file
from argosy.build.toolchain_prefix import assembled, digest_of_names, files_below, folder_digest, try_out
from argosy.build.toolchain_runtime import FOLDERS, SOURCES
from argosy.errors import ArgosyError
from argosy.files import sha256_of
from argosy.folders import cache_root
from argosy.model.digest import Digest
from argosy.model.recipe_source import Archive, Npm
from argosy.progress import progress

# sh, not Python: an upstream build calls these thousands of times. Their own folder is known from $0.
_LAUNCHER = '#!/bin/sh\nexec "${0%/*}/zig" COMMAND "$@"\n'
_DRIVER = 'clang MODE--target=wasm32-wasip1 --sysroot="${0%/*}/../share/wasi-sysroot"'
_LAUNCHERS = {
    "clang": _DRIVER.replace("MODE", ""),
    "clang++": _DRIVER.replace("MODE", "--driver-mode=g++ "),
    "wasm-ld": "wasm-ld",
    "llvm-ar": "ar",
    "llvm-ranlib": "ranlib",
}

# Where the npm package's folders go; clang's own headers lie among the rest of its include/ and stay behind.
_SYSROOT_FOLDERS = {
    "include/wasm32-wasip1": "share/wasi-sysroot/include/wasm32-wasip1",
    "include/c++": "share/wasi-sysroot/include/c++",
    "lib/wasm32-wasip1": "share/wasi-sysroot/lib/wasm32-wasip1",
    "lib/wasm32-unknown-wasip1": "lib/clang/MAJOR/lib/wasm32-unknown-wasip1",
}


def prefix() -> Path:
    """The prefix in the cache, assembled where it is not there. Raises ArgosyError where a package cannot be had."""
    pins_path = pin_file("packages")
    pins = packages_pins(pins_path)
    key = hashlib.sha256(f"{machine()}\n".encode() + pins_path.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    return assembled(cache_root() / "toolchains", f"packages-{key[:12]}", lambda folder: _assemble(folder, pins))


def _assemble(folder: Path, pins: PackagesPins) -> Mapping[str, str]:
    major = pins.clang.partition(".")[0]
    binaries = folder / "bin"
    binaries.mkdir()
    with tempfile.TemporaryDirectory(prefix="argosy-toolchain-") as scratch:
        compiler = _compiler(pins, Path(scratch))
        _link_or_copy(compiler / "zig", binaries / "zig")
        shutil.copytree(compiler / "lib/include", folder / f"lib/clang/{major}/include")
        _unpack_sysroot(fetch(_sysroot_archive(pins)), pins.member, folder, major)
        for name, command in _LAUNCHERS.items():
            (binaries / name).write_text(_LAUNCHER.replace("COMMAND", command))
            (binaries / name).chmod(0o755)
        for part in FOLDERS:
            shutil.copytree(compiler / "lib" / part, folder / SOURCES / part)
    try_out(folder)
    decisive = [(name, sha256_of(folder / name)) for name in files_below(folder) if name != "bin/zig"]
    decisive.append(("compiler", hashlib.sha256(f"{pins.compiler} {pins.compiler_version}".encode()).hexdigest()))
    return {
        "clang": pins.clang,
        "languages": " ".join(pins.languages),
        "digest": digest_of_names(decisive),
        "executables": f"sha256:{sha256_of(binaries / 'zig')}",
    }


def sysroot_tarball() -> Path:
    """The npm package that holds the sysroot, fetched where it is not in the cache yet."""
    return fetch(_sysroot_archive(packages_pins(pin_file("packages"))))


def _sysroot_archive(pins: PackagesPins) -> Archive:
    return Archive(
        file=f"{pins.sysroot.rpartition('/')[2]}-sysroot-{pins.sysroot_version}.tgz",
        digest=pins.tarball,
        locations=(Npm(package=pins.sysroot, version=pins.sysroot_version),),
        into=".",
        strip=0,
        unpack=False,
    )


def _compiler(pins: PackagesPins, scratch: Path) -> Path:
    """The folder of the unpacked compiler package: this Python's where it is the pinned one, else downloaded."""
    expected = pins.executables.get(machine())
    if expected is None:
        raise ArgosyError(
            f"no compiler is pinned for a build host with {machine()}",
            advice=f"build on one of {', '.join(sorted(pins.executables))}, or give a wasi-sdk in $WASI_SDK_PATH",
        )
    folder = _installed(pins) or _downloaded(pins, scratch)
    if sha256_of(folder / "zig") != expected.hex:
        raise _differs(f"{folder}/zig of {pins.compiler} {pins.compiler_version}", expected)
    for name, digest in pins.folders.items():
        if folder_digest(folder / name) != str(digest):
            raise _differs(f"{folder}/{name} of {pins.compiler} {pins.compiler_version}", digest)
    return folder


def _differs(what: str, expected: Digest) -> ArgosyError:
    return ArgosyError(
        f"{what} is not what toolchains/packages.toml pins: its digest differs from {expected}",
        advice="it was changed after it was published, or damaged on the way; install the package again",
    )


def _installed(pins: PackagesPins) -> Path | None:
    try:
        if importlib.metadata.version(pins.compiler) != pins.compiler_version:
            return None
    except importlib.metadata.PackageNotFoundError:
        return None
    found = importlib.util.find_spec(pins.compiler)
    return Path(found.origin).parent if found and found.origin else None


def _downloaded(pins: PackagesPins, scratch: Path) -> Path:
    wheels = scratch / "wheels"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    with progress(f"download {pins.compiler} {pins.compiler_version}", None):
        process.check(
            [
                *pip,
                "--no-deps",
                "--only-binary",
                ":all:",
                "--dest",
                wheels,
                f"{pins.compiler}=={pins.compiler_version}",
            ],
            purpose=f"downloading {pins.compiler} {pins.compiler_version} from PyPI",
            advice=f"is the network up? or install it beforehand: pip install {pins.compiler}=={pins.compiler_version}",
        )
    wheel = next(wheels.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        folders = tuple(f"{pins.compiler}/{name}/" for name in pins.folders)
        inside = [name for name in archive.namelist() if name.startswith(folders)]
        archive.extractall(scratch / "wheel", [f"{pins.compiler}/zig", *inside])
    wheel.unlink()
    (scratch / "wheel" / pins.compiler / "zig").chmod(0o755)
    return scratch / "wheel" / pins.compiler


def _link_or_copy(source: Path, target: Path) -> None:
    """A second name for the file where the filesystem allows one (185 MB saved), else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _unpack_sysroot(tarball: Path, member: str, folder: Path, major: str) -> None:
    with tarfile.open(tarball) as outer:
        resources = outer.extractfile(member)
        if resources is None:
            raise ArgosyError(f"{tarball.name} holds no file {member}")
        with tarfile.open(fileobj=resources) as inner, progress("unpack the sysroot", None, unit="file") as advance:
            for item in inner:
                target = _place(item.name, major)
                contents = inner.extractfile(item) if target and item.isfile() else None
                if target and contents:
                    (folder / target).parent.mkdir(parents=True, exist_ok=True)
                    with (folder / target).open("wb") as file:
                        shutil.copyfileobj(contents, file)
                    advance()


def _place(name: str, major: str) -> Path | None:
    """Where a file of the npm package goes, or None when it is not needed."""
    path = PurePosixPath(name)
    for source, target in _SYSROOT_FOLDERS.items():
        if path.is_relative_to(source) and ".." not in path.parts:
            return Path(target.replace("MAJOR", major)) / path.relative_to(source)
    return None

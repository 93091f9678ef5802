"""The toolchain provider `wasi-sdk`: the folder in `$WASI_SDK_PATH`, else the upstream release in the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from argosy.build.sources import fetch
from argosy.build.toolchain_pins import machine, pin_file, wasi_sdk_pins
from argosy.build.toolchain_prefix import assembled, describe
from argosy.errors import ArgosyError
from argosy.folders import cache_root
from argosy.progress import progress
from argosy.tar import tarfile


def at_hand() -> bool:
    """Whether a wasi-sdk can be used without downloading one."""
    return bool(os.environ.get("WASI_SDK_PATH")) or (_cache() / _release_name()).exists()


def prefix() -> Path:
    """The prefix in the cache: links to `$WASI_SDK_PATH`, else the pinned release, downloaded where it is not there.

    Raises ArgosyError where the folder is no wasi-sdk or the release cannot be had.
    """
    given = os.environ.get("WASI_SDK_PATH")
    if given:
        sdk = Path(given).resolve()
        return assembled(_cache(), f"wasi-sdk-{_state(sdk)}", lambda folder: _link(sdk, folder))
    return assembled(_cache(), _release_name(), _unpack_release)


def _cache() -> Path:
    return cache_root() / "toolchains"


def _release_name() -> str:
    pins = pin_file("wasi-sdk").read_bytes()
    return f"wasi-sdk-{hashlib.sha256(machine().encode() + pins).hexdigest()[:12]}"


def _state(sdk: Path) -> str:
    """Twelve digits that differ when another wasi-sdk is at that place."""
    try:
        clang = (sdk / "bin/clang").stat()
    except OSError as error:
        raise ArgosyError(
            f"$WASI_SDK_PATH is {sdk}, which is no wasi-sdk: bin/clang cannot be found ({error.strerror})",
            advice="name the folder that holds bin/ and share/wasi-sysroot/, or unset the variable",
        ) from error
    return hashlib.sha256(f"{sdk} {clang.st_size} {clang.st_mtime_ns}".encode()).hexdigest()[:12]


def _link(sdk: Path, folder: Path) -> Mapping[str, str]:
    for name in ("bin", "lib", "share"):
        if not (sdk / name).is_dir():
            raise ArgosyError(f"the wasi-sdk {sdk} is half-unpacked: {name}/ is missing", advice="unpack it again")
        (folder / name).symlink_to(sdk / name)
    return describe(folder, languages="c c++")


def _unpack_release(folder: Path) -> Mapping[str, str]:
    pins = wasi_sdk_pins(pin_file("wasi-sdk"))
    archive = pins.archives.get(machine())
    if archive is None:
        raise ArgosyError(
            f"wasi-sdk {pins.release} is not pinned for a build host with {machine()}",
            advice="unpack a release for it and name its folder in $WASI_SDK_PATH",
        )
    with tarfile.open(fetch(archive)) as contents, progress("unpack wasi-sdk", None, unit="file") as advance:
        for item in contents:
            inside = item.name.removeprefix("./").partition("/")[2]
            if inside:
                contents.extract(item.replace(name=inside, deep=False), folder, filter="data")
                advance()
    return describe(folder, languages="c c++")

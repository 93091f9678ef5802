"""The toolchain of an Arm build host on this one: clang from PyPI's aarch64 wheel, run by qemu-aarch64.

`python tests/arm/aarch64_toolchain.py CACHE` makes a cache folder that holds it; then
`ARGOSY_CACHE=CACHE argosy rebuild REF` builds what was published from x86-64 with the other machine's compiler.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from argosy.build import toolchain
from argosy.build.toolchain_pins import packages_pins, pin_file
from argosy.build.toolchain_prefix import MANIFEST, read_manifest, write_manifest
from argosy.files import sha256_of
from argosy.process import check

# For a command line with several steps clang starts itself: by the name that it was called by, which is this script's,
# since the kernel cannot start a program for another machine.
_RUN = """\
#!/bin/sh
here=${0%/*}
case "$1 $2" in
"clang -cc1"*) ;;
clang\\ *) shift; set -- clang -no-canonical-prefixes "$@" ;;
esac
exec qemu-aarch64 -0 "$here/zig" "$here/zig-aarch64" "$@"
"""


def put_into(cache: Path) -> Path:
    """Make the toolchain in the cache folder `cache`, which `$ARGOSY_CACHE` names; gives its prefix.

    All that decides what is compiled is the same as in an x86-64 build host's prefix, so it has the same digest.
    """
    found = toolchain.find("packages")
    assert found.prefix.is_relative_to(cache)
    program = found.prefix / "bin" / "zig"
    arm = program.with_name("zig-aarch64")
    if not arm.exists():
        about = dict(read_manifest(found.prefix).about)
        (found.prefix / MANIFEST).unlink()
        _fetch(arm)
        program.unlink()  # it may be another name of the installed package's
        program.write_text(_RUN)
        program.chmod(0o755)
        write_manifest(found.prefix, {**about, "executables": f"sha256:{sha256_of(arm)}"})
    return found.prefix


def _fetch(target: Path) -> None:
    """The compiler for aarch64, from the wheel that `toolchains/packages.toml` pins."""
    pins = packages_pins(pin_file("packages"))
    wanted = f"{pins.compiler}=={pins.compiler_version}"
    with tempfile.TemporaryDirectory() as scratch:
        check(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
                *("--only-binary", ":all:", "--platform", "manylinux2014_aarch64", "--dest", scratch, wanted),
            ],
            purpose=f"downloading {wanted} for aarch64",
        )
        [wheel] = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive, target.open("wb") as file:
            shutil.copyfileobj(archive.open(f"{pins.compiler}/zig"), file)
    assert sha256_of(target) == pins.executables["aarch64"].hex
    target.chmod(0o755)


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["ARGOSY_CACHE"] = str(folder)
    print(put_into(folder))

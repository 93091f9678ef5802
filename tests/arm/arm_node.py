"""A 64-bit Arm node by emulation: Debian's Python, the aarch64 wheels that Argosy needs, and a launcher for it.

Whatever a Raspberry Pi would do is done by Arm programs under `qemu-aarch64 -cpu …`: the command `argosy precompile`,
and each rank. Two things are this machine's own: mpiexec, since emulated processes start no others, and the C compiler,
`zig cc -target aarch64-linux-gnu`, which would take minutes as an Arm program. All of it is kept in the cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import ziglang
from debian_packages import kept, unpack

from argosy import process
from argosy.errors import ArgosyError
from argosy.site import engine

ROOT = Path(__file__).resolve().parents[2]
MPICH = "5.0.2"
# The first is Debian 12's Python and what it links to.
_PACKAGES = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libgcc-s1", "libstdc++6"),
    *("libexpat1", "zlib1g", "libssl3", "libffi8", "libbz2-1.0", "liblzma5", "libuuid1"),
)
# Emulated processes cannot read each other's memory, so MPICH must not try.
EMULATED = {"MPIR_CVAR_CH4_CMA_ENABLE": "0", "MPIR_CVAR_CH4_IPC_CMA_P2P_THRESHOLD": "1000000000"}
_BUILD = """
import sys
from pathlib import Path
from argosy.launcher import build, mpi_library
from argosy.site import engine
library = Path(sys.argv[1])
engine.wasmtime_library = lambda: library
print(build.launcher(mpi_library.find()))
"""


@dataclass(frozen=True, kw_only=True)
class ArmNode:
    """Where the parts are: `root` for qemu's -L, `packages` for Python's path, and the launcher."""

    root: Path
    packages: tuple[Path, ...]
    launcher: Path

    def command(self, cpu: str, *words: str | Path) -> list[str]:
        """What runs an Arm program on a CPU by qemu's name for it, such as cortex-a72."""
        return ["qemu-aarch64", "-cpu", cpu, "-L", str(self.root), *map(str, words)]

    def argosy(self, cpu: str, *words: str | Path, cache: Path) -> subprocess.CompletedProcess[str]:
        """The command `argosy` on this node."""
        python = self.root / "usr/bin/python3.11"
        environment = {
            **os.environ,
            "ARGOSY_CACHE": str(cache),
            "PYTHONPATH": os.pathsep.join(map(str, self.packages)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = self.command(cpu, python, "-m", "argosy.cli", *words)
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)

    def rank(self, cpu: str, code: Path, *words: str, options: Sequence[str] = ()) -> list[str]:
        """What runs a program's native code on this node, as a rank or alone."""
        return self.command(cpu, self.launcher, *options, code, *words)


def find() -> ArmNode:
    """The node, made ready when it is not. Raises ArgosyError saying what cannot be had."""
    if shutil.which("qemu-aarch64") is None:
        raise ArgosyError("there is no qemu-aarch64 here", advice="apt-get install qemu-user")
    root = kept("arm64-root", lambda scratch: unpack("bookworm", _PACKAGES, scratch, architecture="arm64"))
    wheels = kept(f"arm64-wheels-{engine.wasmtime_version()}-{MPICH}-{metadata.version('cryptography')}", _wheels)
    libraries = list(wheels.rglob("_libwasmtime.so"))
    mpicc = list(wheels.rglob("bin/mpicc"))
    if len(libraries) != 1 or len(mpicc) != 1:
        raise ArgosyError(f"{wheels} does not hold the wheels' libraries", advice=f"remove {wheels}")
    packages = (wheels, ROOT, *_pure_packages())
    return ArmNode(root=root, packages=packages, launcher=_launcher(libraries[0], mpicc[0]))


def _wheels(scratch: Path) -> Path:
    """The wheels unpacked; pip chooses what fits an Arm machine with Python 3.11 and a C library of 2018 or later."""
    tags = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
    options = [word for tag in tags for word in ("--platform", tag)]
    options += ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp"]
    options += [word for abi in ("cp311", "abi3", "none") for word in ("--abi", abi)]
    cryptography = f"cryptography=={metadata.version('cryptography')}"
    wanted = [f"wasmtime=={engine.wasmtime_version()}", f"mpich=={MPICH}", cryptography, "cffi"]
    command = [sys.executable, "-m", "pip", "download", "-q", *options, "-d", scratch, *wanted]
    process.check(command, purpose="fetching aarch64 wheels")
    for wheel in scratch.glob("*aarch64.whl"):
        shutil.unpack_archive(wheel, scratch / "wheels", "zip")
    for program in (scratch / "wheels").glob("*.data/data/bin/*"):
        program.chmod(0o755)
    return scratch / "wheels"


def _pure_packages() -> tuple[Path, ...]:
    """The folder of this Python's own packages, for those that have no binaries."""
    import elftools

    return (Path(elftools.__file__).parents[1],)


def _launcher(library: Path, mpicc: Path) -> Path:
    """The launcher, by the package's own build, with zig as a compiler for Arm."""
    zig = Path(ziglang.__file__).with_name("zig")
    keep = library.parents[1] / ".zig"
    environment: Mapping[str, str] = {
        **os.environ,
        "CC": f"{zig} cc -target aarch64-linux-gnu.2.31 -fno-sanitize=all",
        "ARGOSY_MPICC": str(mpicc),
        "ZIG_GLOBAL_CACHE_DIR": str(keep),
        "ZIG_LOCAL_CACHE_DIR": str(keep),
    }
    command = [sys.executable, "-c", _BUILD, library]
    return Path(process.check(command, purpose="building the launcher for Arm", environment=environment).split()[-1])

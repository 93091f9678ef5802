"""What Charliecloud, rootless Podman and Argosy each need of an administrator, to build and to run: a table, measured.

    python tests/bench/privileges.py          # as an ordinary user; what is not installed is named and left out

Each tool builds and runs one program that prints a line, under conditions set one at a time: as this machine is,
without user namespaces (user.max_user_namespaces=0, as many sites set it), with no_new_privs (setuid programs gain
nothing), with a home folder that can only be read. A cell says "works", or the last line of what the tool said. Setting
the second condition takes a user namespace; Argosy itself uses none.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from argosy.build import produce, toolchain  # noqa: E402 (run as a script it has to find the package first)
from argosy.folders import cache_root  # noqa: E402
from argosy.launcher import compiler  # noqa: E402

LINE = "aboard"
SOURCE = f'#include <stdio.h>\nint main(void) {{ puts("{LINE}"); return 0; }}\n'
SCONSTRUCT = """\
env = Environment(tools=["argosy"])
env.Default(env.ArgosyProgram("hello", ["hello.c"], mpi=False, version="1"))
"""
CONTAINERFILE = 'FROM scratch\nCOPY hello /hello\nCOPY root /\nCMD ["/hello"]\n'
OWN = ("unshare", "--user", "--mount", "--keep-caps", f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}")
DROPPED = "setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all"
# Each is a command to which another is appended; HOME and TMPDIR are in the environment.
CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "as it is": (),
    "no user namespaces": (*OWN, "sh", "-c", f'echo 0 >/proc/sys/user/max_user_namespaces; exec {DROPPED} "$@"', "sh"),
    "no_new_privs": ("setpriv", "--no-new-privs"),
    "home read-only": ("sh", "-c", 'chmod a-w "$HOME"; "$@"; status=$?; chmod u+w "$HOME"; exit $status', "sh"),
}


SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"  # Debian's tools want Debian's Python


def argosy(*words: str) -> list[str]:
    return [sys.executable, "-m", "argosy.cli", *words]


def podman(folder: Path, *words: str) -> list[str]:
    places = ["--root", str(folder / "pods"), "--runroot", str(folder / "podrun"), "--cgroup-manager=cgroupfs"]
    return ["env", f"PATH={SYSTEM_PATH}", "podman", *places, *words]


def tools(folder: Path) -> dict[str, tuple[str, list[list[str]], list[str]]]:
    """Of each tool: the program that must be installed, the commands that build, and the one that runs."""
    image = str(folder / "image")
    system = ["env", f"PATH={SYSTEM_PATH}"]
    convert = [*system, "ch-convert", "-i", "ch-image", "-o", "dir", "hello", image]
    return {
        "Argosy": ("sh", [argosy("build", "-C", "source")], argosy("run", "--unsigned", "source/hello.wasm")),
        "Charliecloud": (
            "ch-image",
            [[*system, "ch-image", "build", "--no-cache", "-t", "hello", "-f", "Containerfile", "."], convert],
            ["ch-run", image, "--", "/hello"],
        ),
        "Podman": (
            "podman",
            [podman(folder, "build", "-q", "-t", "hello", ".")],
            podman(folder, "--runtime=runc", "run", "--rm", "--network=none", "hello"),
        ),
    }


def prepare(folder: Path) -> dict[str, str]:
    """The sources and places in this folder, and the environment in which all tools run."""
    for name in ("home", "temporary", "source", "cache", "runtime"):
        (folder / name).mkdir()
    (folder / "source" / "hello.c").write_text(SOURCE)
    (folder / "source" / "SConstruct").write_text(SCONSTRUCT)
    (folder / "Containerfile").write_text(CONTAINERFILE)
    for name in ("bin", "dev", "etc", "home", "mnt", "proc", "sys", "tmp", "usr", "var"):  # what ch-run mounts over
        (folder / "root" / name).mkdir(parents=True)
        (folder / "root" / name / ".keep").touch()
    for name in ("passwd", "group", "hosts", "resolv.conf"):
        (folder / "root" / "etc" / name).touch()
    made = [*compiler.find().command, "-static", "-O2", folder / "source/hello.c", "-o", folder / "hello"]
    subprocess.run(list(map(str, made)), check=True)
    produce.mpi_library(toolchain.find())
    for name in ("toolchains", "mpi"):
        (folder / "cache" / name).symlink_to(cache_root() / name)
    return {
        **os.environ,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "temporary"),
        "USER": os.environ.get("USER", "nobody"),
        "XDG_RUNTIME_DIR": str(folder / "runtime"),
        "ARGOSY_CACHE": str(folder / "cache"),
        "ARGOSY_STATE": str(folder / "state"),
        "CH_IMAGE_STORAGE": str(folder / "charliecloud"),
        "PYTHONPATH": str(ROOT),
    }


def attempt(
    command: Sequence[str],
    condition: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    prints: bool = False,
) -> str:
    """What came of a command: empty where it worked, else its last words."""
    done = subprocess.run(
        [*condition, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    if done.returncode == 0:
        return "" if not prints or LINE in done.stdout else "it printed nothing"
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return said[-1][:160] if said else f"status {done.returncode}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    if os.geteuid() == 0:
        sys.exit("privileges.py: root has what is asked about; run it as an ordinary user")
    rows: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        folder = Path(name)
        environment = prepare(folder)
        for tool, (needed, build, run) in tools(folder).items():
            if shutil.which(needed) is None:
                rows[tool] = {"absent": f"{needed} is not on PATH"}
                continue
            for condition, words in CONDITIONS.items():
                for place in ("image", "charliecloud"):
                    shutil.rmtree(folder / place, ignore_errors=True)
                built = next(filter(None, (attempt(one, words, folder, environment) for one in build)), "")
                rows.setdefault(f"{tool}, build", {})[condition] = built or "works"
                if built:  # what runs was then built elsewhere
                    for one in build:
                        attempt(one, (), folder, environment)
                rows.setdefault(f"{tool}, run", {})[condition] = (
                    attempt(run, words, folder, environment, prints=True) or "works"
                )
        subprocess.run(podman(folder, "unshare", "rm", "-rf", folder / "pods"), env=environment, capture_output=True)
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row, cells in rows.items():
        print(row)
        for condition, text in cells.items():
            print(f"  {condition:20} {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

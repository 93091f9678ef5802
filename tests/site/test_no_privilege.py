"""Build, push, pull, precompile and run where an administrator allows nothing at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from needs import need, program

from argosy.build import produce, toolchain
from argosy.folders import cache_root

ROOT = Path(__file__).resolve().parents[2]

# What must fail there, and what must not. Each line that is printed is one thing that was seen.
CONDITIONS = """
import errno, os, subprocess, tempfile
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
assert status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
assert os.geteuid() != 0
assert subprocess.run(["unshare", "-U", "true"], capture_output=True).returncode != 0
assert not os.path.exists("/etc/subuid") or open("/etc/subuid").read() == ""
def fails(what, *errors):
    try:
        what()
    except OSError as error:
        assert error.errno in errors, error
    else:
        raise AssertionError("it was allowed")
fails(lambda: open(os.path.expanduser("~/new"), "w"), errno.EROFS)
cache = os.environ["ARGOSY_CACHE"]
script = os.path.join(tempfile.gettempdir(), "script")
with open(script, "w") as file:
    file.write("#!/bin/sh\\n")
os.chmod(script, 0o755)
fails(lambda: subprocess.run([script]), errno.EACCES)
open(os.path.join(cache, "file"), "w").close()
fails(lambda: os.setxattr(os.path.join(cache, "file"), "security.argosy", b"x"), errno.EPERM, errno.EOPNOTSUPP)
print("nothing is allowed")
"""
WORK = """
import os, subprocess, sys
def argosy(*words):
    done = subprocess.run([sys.executable, "-m", "argosy.cli", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"argosy {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout
place = os.path.join(os.environ["ARGOSY_CACHE"], "work")
os.mkdir(place)
os.chdir(place)
with open("SConstruct", "w") as file:
    file.write(f'env = Environment(tools=["argosy"])\\nenv.ArgosyRecipes("{sys.argv[1]}/recipes", build="build")\\n')
argosy("build", "hello")
argosy("push", "build/hello/hello.wasm", "oci:layout:hello")
argosy("verify", "oci:layout:hello")
argosy("pull", "-o", "copy.wasm", "oci:layout:hello")
argosy("precompile", "oci:layout:hello")
print(argosy("run", "-n", "2", "oci:layout:hello"))
"""


def test_everything_works_where_nothing_is_allowed(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("run it as an ordinary user: root has what this is to be without")
    unshare = program("unshare", "apt-get install util-linux")
    mine = [f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}"]
    isolated = [unshare, "--user", "--mount", *mine, "--keep-caps"]
    if subprocess.run([*isolated, "true"], capture_output=True).returncode != 0:
        need("user namespaces", "they set the conditions of this test; Argosy does without: user.max_user_namespaces")
    for name in ("home", "cache", "temporary"):
        (tmp_path / name).mkdir()
    environment = {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "home/config"),
        "ARGOSY_STATE": str(tmp_path / "cache/state"),
        "ARGOSY_CACHE": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "temporary"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    keys = [sys.executable, "-m", "argosy.cli", "keys"]
    public = tmp_path / "home/config/argosy/argosy.pub"
    for words in (["generate"], ["trust", public, "layout/**"]):  # the home can be written for the last time
        subprocess.run([*keys, *words], env=environment, check=True, capture_output=True)
    # The compiler is 600 MB from package registries: what this user has already is taken.
    produce.mpi_library(toolchain.find())
    link = f"os.symlink({str(cache_root() / 'toolchains')!r}, {str(tmp_path / 'cache/toolchains')!r})"
    sources = f"os.symlink({str(cache_root() / 'mpi')!r}, {str(tmp_path / 'cache/mpi')!r})"
    code = f"{CONDITIONS}\n{link}\n{sources}\n{WORK}"
    script = [sys.executable, "-c", code, ROOT]
    place = [tmp_path / name for name in ("home", "cache", "temporary")]
    command = [*isolated, "sh", Path(__file__).with_name("no_privilege.sh"), *place, *script]
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("nothing is allowed\n")
    assert "Hello from rank 0 of 2" in done.stdout and "Hello from rank 1 of 2" in done.stdout

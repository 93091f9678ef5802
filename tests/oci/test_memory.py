"""What a transfer holds in memory does not grow with what it moves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from artifacts import artifact
from registry_server import RegistryServer

from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.push import push

LARGE = 120 << 20
GROWTH = 32 << 10  # KiB: buffers, and what the allocator keeps

# The most that this very process ever had in memory; getrusage would count what its parent had as it was forked.
CLIENT = """
import re, sys
from pathlib import Path
from argosy.cli import main
assert main(sys.argv[1:]) == 0
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak(folder: Path, *words: str) -> int:
    """KiB that `argosy` needed for these words."""
    environment = {**os.environ, "ARGOSY_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, *words], env=environment, check=True, capture_output=True, text=True
    )
    return int(done.stdout.split()[-1])


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a small artifact, `small`, and a large one, `large`."""
    folder = tmp_path_factory.mktemp("memory")
    place = f"oci:{folder}/layout"
    for name, size in (("small", 1000), ("large", LARGE)):
        push(artifact(folder, cargo=bytes(size)), open_registry(Reference.parse(place)), tag=name)
    return place


def test_a_push_and_a_pull_hold_little_of_a_large_blob(
    open_server: RegistryServer, layout: str, tmp_path: Path
) -> None:
    needed = {}
    for name in ("small", "large"):
        there = f"{open_server.host}/memory:{name}"
        up = peak(tmp_path, "copy", f"{layout}:{name}", there)
        down = peak(tmp_path, "copy", there, f"oci:{tmp_path}/{name}")
        needed[name] = (up, down)
        assert open_registry(Reference.parse(f"oci:{tmp_path}/{name}")).resolve(name).digest
    for small, large in zip(needed["small"], needed["large"], strict=True):
        assert large - small < GROWTH, needed

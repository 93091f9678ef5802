"""A site for the tests: a cluster with a prolog, a cache that the prolog fills, a layout folder, a key and a user."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm_cluster import Cluster, cluster

from argosy.sign.keys import generate, load_public
from argosy.sign.trust import write_policy

LIBRARIES = {
    "the mpich wheel": Path(sys.prefix, "bin/mpicc"),
    "MPICH": Path("/usr/bin/mpicc.mpich"),
    "Open MPI": Path("/usr/bin/mpicc.openmpi"),
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A cluster with a prolog that fails closed, a site's cache that it fills, a layout folder, and a user."""

    slurm: Cluster
    home: Path
    environment: dict[str, str]

    def argosy(self, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """The user's command, in the folder `home`."""
        return subprocess.run(
            [sys.executable, "-m", "argosy.cli", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.home,
            env={**self.slurm.environment, **self.environment, **more},
        )

    def done(self, *words: str | Path, **more: str) -> str:
        finished = self.argosy(*words, **more)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def push(self, name: str, wasm: bytes, *, key: str = "argosy") -> str:
        """The reference of the module, signed and in the site's layout folder."""
        (self.home / f"{name}.wasm").write_bytes(wasm)
        reference = f"oci:{self.home}/layout:{name}"
        self.done("push", "--key", self.home / f"settings/argosy/{key}.key", f"{name}.wasm", reference)
        return reference

    def submit(self, *words: str | Path, **more: str) -> int:
        """The number of the job; what it prints goes to `out.<number>` in the home."""
        output = f"--sbatch=--output={self.home}/out.%j"
        return int(json.loads(self.done("slurm", "submit", "--json", "--submit", output, *words, **more))["job"])

    def output(self, job: int) -> str:
        path = self.home / f"out.{job}"
        return path.read_text() if path.exists() else ""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    settings = home / "settings/argosy"
    for name in ("argosy", "stranger"):
        generate(settings / f"{name}.key")
    write_policy(settings / "policy.toml", keys={"argosy": load_public(settings / "argosy.pub")}, repositories=("**",))
    environment = {
        "XDG_CONFIG_HOME": str(home / "settings"),
        "ARGOSY_CACHE": str(home / "user"),
        "ARGOSY_SITE_CACHE": str(home / "shared"),
        "ARGOSY_STATE": str(home / "state"),
        "ARGOSY_MPICC": str(next((path for path in LIBRARIES.values() if path.exists()), "mpicc")),
        # Both nodes are this machine, and Open MPI's shared memory has its name from the node's.
        "OMPI_MCA_btl": "self,tcp",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with cluster(extra=f"Prolog={home}/prolog\nPrologFlags=Alloc,DeferBatch") as slurm:
            made = Site(slurm=slurm, home=home, environment=environment)
            policy = settings / "policy.toml"
            made.done(
                "slurm", "prolog", "--write", "prolog", "--closed", "--launcher", "--seconds", "600", "--policy", policy
            )
            yield made

"""A site for the tests: a cluster with a prolog, a cache that the prolog fills, a layout folder, a key and a user."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from desk import Desk, settle
from slurm_cluster import Cluster, cluster

LIBRARIES = {
    "the mpich wheel": Path(sys.prefix, "bin/mpicc"),
    "MPICH": Path("/usr/bin/mpicc.mpich"),
    "Open MPI": Path("/usr/bin/mpicc.openmpi"),
}


@dataclass(frozen=True, kw_only=True)
class Site(Desk):
    """A cluster with a prolog that fails closed, a site's cache that it fills, a layout folder, and a user."""

    slurm: Cluster

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
    environment = {
        **settle(home, keys=("argosy", "stranger")),
        "ARGOSY_CACHE": str(home / "user"),
        "ARGOSY_SITE_CACHE": str(home / "shared"),
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
            made = Site(slurm=slurm, home=home, environment={**slurm.environment, **environment})
            policy = home / "settings/argosy/policy.toml"
            made.done(
                "slurm", "prolog", "--write", "prolog", "--closed", "--launcher", "--seconds", "600", "--policy", policy
            )
            yield made

"""Jobs of a real Slurm: two nodes, a prolog that makes them ready, and artifacts that are or are not to be trusted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import guests
import pytest
from slurm_cluster import Cluster, cluster

from argosy.sign.keys import generate, load_public
from argosy.sign.trust import write_policy

LIBRARIES = {
    "the mpich wheel": Path(sys.prefix, "bin/mpicc"),
    "MPICH": Path("/usr/bin/mpicc.mpich"),
    "Open MPI": Path("/usr/bin/mpicc.openmpi"),
}
# The digit of each rank, and how many there are, after a barrier of all.
RANKS = guests.module(
    f"""
    (func (export "_start")
      (drop (call $MPI_Init (i32.const 0) (i32.const 0)))
      (drop (call $MPI_Comm_size (i32.const {guests.COMM_WORLD}) (i32.const 32)))
      (drop (call $MPI_Comm_rank (i32.const {guests.COMM_WORLD}) (i32.const 36)))
      (drop (call $MPI_Barrier (i32.const {guests.COMM_WORLD})))
      (call $digit (i32.add (i32.mul (i32.const 0) (i32.load (i32.const 32))) (i32.load (i32.const 36))))
      (drop (call $MPI_Finalize)))
    """
)


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


@pytest.fixture(scope="module")
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


def native_code(cache: Path) -> list[Path]:
    return sorted(cache.glob("aot/*/*.cwasm"))


def test_the_prolog_makes_nodes_ready_and_ranks_run_without_compiling_anything(site: Site) -> None:
    job = site.submit("-N2", "-n4", site.push("ranks", RANKS))
    assert site.slurm.wait(job)["JobState"] == "COMPLETED", site.output(job)
    assert sorted(site.output(job).split()) == ["0", "1", "2", "3"]
    assert len(native_code(site.home / "shared")) == 1
    assert list((site.home / "shared/launchers").glob("*/argosy-launch"))
    assert not native_code(site.home / "user") and not (site.home / "user/launchers").exists()


def test_a_job_whose_artifact_is_not_trusted_does_not_start_and_the_queue_goes_on(site: Site) -> None:
    bad = site.push("bad", guests.say("never\n"), key="stranger")
    good = site.push("good", guests.say("after it\n"))
    refused, next_one = site.submit("-N2", "-n2", bad), site.submit("-N2", "-n2", good)
    assert site.slurm.wait(refused)["JobState"] == "CANCELLED"
    told = site.slurm.done("scontrol", "show", "job", str(refused))
    assert "AdminComment=argosy: oci:" in told and "is not trusted" in told
    assert site.slurm.wait(next_one)["JobState"] == "COMPLETED"
    assert (site.output(refused), site.output(next_one)) == ("", "after it\n")
    assert not any("down" in state or "drain" in state for state in site.slurm.node_states().values())

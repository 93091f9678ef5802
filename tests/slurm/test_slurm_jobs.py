"""Jobs of a real Slurm: two nodes, a prolog that makes them ready, and artifacts that are or are not to be trusted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import guests
import pytest
from needs import need
from registry_server import registry_server
from slurm_site import LIBRARIES, Site

# The digit of each rank, after a barrier of all.
RANKS = guests.module(
    f"""
    (func (export "_start")
      (drop (call $MPI_Init (i32.const 0) (i32.const 0)))
      (drop (call $MPI_Comm_rank (i32.const {guests.COMM_WORLD}) (i32.const 36)))
      (drop (call $MPI_Barrier (i32.const {guests.COMM_WORLD})))
      (call $digit (i32.load (i32.const 36)))
      (drop (call $MPI_Finalize)))
    """
)


def native_code(cache: Path) -> list[Path]:
    return sorted(cache.glob("aot/*/*.cwasm"))


def test_the_prolog_makes_nodes_ready_and_ranks_run_without_compiling_anything(site: Site) -> None:
    before = set(native_code(site.home / "shared"))  # of other tests' jobs
    launchers = set((site.home / "user").glob("launchers/*"))
    job = site.submit("-N2", "-n4", site.push("ranks", RANKS))
    assert site.slurm.wait(job)["JobState"] == "COMPLETED", site.output(job)
    assert sorted(site.output(job).split()) == ["0", "1", "2", "3"]
    assert len(set(native_code(site.home / "shared")) - before) == 1
    assert list((site.home / "shared/launchers").glob("*/argosy-launch"))
    assert not native_code(site.home / "user")
    assert set((site.home / "user").glob("launchers/*")) == launchers


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


def test_the_ranks_are_the_launcher_and_no_python_stands_by(site: Site) -> None:
    spinning = guests.module(
        """
        (func (export "_start")
          (drop (call $MPI_Init (i32.const 0) (i32.const 0)))
          (call $digit (i32.const 1))
          (loop $on (br $on)))
        """
    )
    job = site.submit("-N2", "-n4", site.push("spin", spinning))
    site.slurm.until(lambda: site.output(job).count("1\n") == 4, "four ranks that run")
    programs = sorted(name for name in programs_of(job) if name not in ("slurmstepd", "srun"))
    site.slurm.done("scancel", str(job))
    assert site.slurm.wait(job)["JobState"] == "CANCELLED"
    assert programs == ["argosy-launch"] * 4


def programs_of(job: int) -> list[str]:
    """The programs of the processes whose environment says that they are of the job."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"SLURM_JOB_ID={job}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "exe").readlink().name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_librarys_own_mpiexec_starts_ranks_in_an_allocation(site: Site, library: str) -> None:
    mpicc = LIBRARIES[library]
    if not mpicc.exists():
        need(library, "pip install mpich; apt-get install libmpich-dev libopenmpi-dev")
    job = site.submit("-N2", "-n4", "--by", "mpiexec", "--mpi", mpicc, site.push("ranks", RANKS))
    assert site.slurm.wait(job, seconds=300)["JobState"] == "COMPLETED", site.output(job)
    assert sorted(site.output(job).split()) == ["0", "1", "2", "3"]


def test_what_a_login_node_copied_runs_when_there_is_no_network(site: Site, tmp_path: Path) -> None:
    (site.home / "net.wasm").write_bytes(guests.say("from the shared folder\n"))
    key = site.home / "settings/argosy/argosy.key"
    with registry_server(tmp_path / "registry") as server:
        site.done("push", "--key", key, "net.wasm", f"{server.host}/hpc/net:1")
        site.done("copy", f"{server.host}/hpc/net:1", f"oci:{site.home}/layout:net")
    job = site.submit("-n1", f"oci:{site.home}/layout:net")
    assert site.slurm.wait(job)["JobState"] == "COMPLETED", site.output(job)
    assert site.output(job) == "from the shared folder\n"


def test_what_is_written_into_a_batch_script_arrives_unchanged(site: Site) -> None:
    odd = ["$HOME", "a b", "'", '"', "\\", "#SBATCH --bogus", "", "*", ";exit", "-n", "new\nline"]
    words = ("--comment", "for Ann, project=7", "--env", "GIVEN=$HOME 'x'", "--job-name", "odd one")
    job = site.submit(*words, site.push("show", guests.show()), "--", *odd)
    state = site.slurm.wait(job)
    assert state["JobState"] == "COMPLETED", site.output(job)
    assert site.output(job).split("\0")[1:-1] == [*odd, "GIVEN=$HOME 'x'"]
    assert site.slurm.done("squeue", "-h", "-t", "all", "-j", str(job), "-o", "%j|%k").startswith(
        "odd one|for Ann, project=7 argosy=oci:"
    )


def test_a_partition_is_compiled_for_once_per_kind_and_not_per_node(site: Site) -> None:
    reference = site.push("kinds", guests.say("kinds\n"))
    cache = {"ARGOSY_CACHE": str(site.home / "fan-out"), "ARGOSY_SITE_CACHE": ""}
    (one,) = json.loads(site.done("slurm", "precompile", "--json", "--partition", "all", reference, **cache))["kinds"]
    assert one["kind"]["nodes"] == ["n1", "n2"] and one["node"] == "n1" and one["compiled"] is True
    assert native_code(site.home / "fan-out") == [Path(one["path"])]
    bad = site.push("worse", guests.say("never\n"), key="stranger")
    refused = site.argosy("slurm", "precompile", "--partition", "all", bad, **cache)
    assert refused.returncode == 1 and "is not trusted" in refused.stdout
    unknown = site.argosy("slurm", "precompile", "--partition", "none", reference)
    assert unknown.returncode == 1 and "none" in unknown.stderr and "Traceback" not in unknown.stderr


def prolog(site: Site, comment: str, *words: str) -> dict[str, object]:
    """What the prolog says by hand, outside of slurmd."""
    variables = {"SLURM_JOB_ID": "1", "SLURM_JOB_UID": str(os.getuid()), "SLURM_JOB_PARTITION": "all"}
    policy = site.home / "settings/argosy/policy.toml"
    said = site.done("slurm", "prolog", "--json", "--policy", policy, *words, SLURM_JOB_COMMENT=comment, **variables)
    told: dict[str, object] = json.loads(said)
    return told


def test_a_prolog_that_fails_open_lets_the_job_start_and_says_why(site: Site) -> None:
    bad = site.push("open", guests.say("never\n"), key="stranger")
    told = prolog(site, f"argosy={bad}")
    assert told["refused"] == "" and "is not trusted" in str(told["prepared"])


def test_a_prolog_ends_when_its_time_is_over(site: Site) -> None:
    reference = site.push("late", guests.say("late\n"))
    before = time.monotonic()
    told = prolog(site, f"argosy={reference}", "--seconds", "0.05")
    assert "did not end within" in str(told["prepared"]) and time.monotonic() - before < 30


def test_what_the_sites_manifest_names_is_made_ready_for_jobs_that_name_nothing(site: Site, tmp_path: Path) -> None:
    reference = site.push("mine", guests.say("mine\n"))
    manifest = tmp_path / "manifest.toml"
    manifest.write_text(f'[[prepare]]\nartifacts = ["{reference}", "oci:/nowhere:x"]\n')
    words = ("--closed", "--manifest", str(manifest), "--cache", str(tmp_path / "cache"))
    told = prolog(site, "nothing", *words)
    ready, absent = told["prepared"]  # type: ignore[misc]
    assert ready["path"].startswith(str(tmp_path / "cache")) and ready["named_by_job"] is False
    assert absent["problem"] and told["refused"] == ""  # no job is ended for what it did not ask for

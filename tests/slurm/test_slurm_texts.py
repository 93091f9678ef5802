"""What is read from Slurm and written for it, without a cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from argosy.cli import main
from argosy.errors import ArgosyError, UsageError
from argosy.process import Finished
from argosy.site import hook_script, slurm_commands, slurm_job, slurm_launch
from argosy.site.slurm_job import Job
from argosy.site.slurm_launch import OnNode
from argosy.site.slurm_script import Batch

NODE = (
    "NodeName={name} Arch=x86_64 CoresPerSocket=16 ActiveFeatures={features} State={state} Sockets=2 ThreadsPerCore=1"
)


def job(comment: str = "", variable: str = "") -> Job:
    return Job(number="7", user=1000, partition="batch", comment=comment, variable=variable)


def names(one: Job) -> list[str]:
    return [str(reference) for reference in one.names()]


def test_artifacts_are_words_among_others_of_a_comment() -> None:
    comment = "for Ann; argosy=registry.site/hpc/hpcc:1.5,oci:/lay/out:x  project=7 argosy=oci:/lay/out:x"
    assert names(job(comment)) == ["registry.site/hpc/hpcc:1.5", "oci:/lay/out:x"]
    assert names(job("argosy is nice", variable="oci:/a:b")) == ["oci:/a:b"]
    assert names(job()) == []


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("argosy=nonsense", "not a reference"),
        ("argosy=oci:here:x", "relative"),
        ("argosy=" + ",".join(f"oci:/l:{n}" for n in range(17)), "17 artifacts"),
    ],
)
def test_what_cannot_be_made_ready_is_said(comment: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        job(comment).names()


def test_a_manifest_names_artifacts_by_partition(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(
        '[[prepare]]\nartifacts = ["oci:/l:all"]\n'
        '[[prepare]]\npartitions = ["arm*"]\nartifacts = ["oci:/l:arm", "oci:/l:all"]\n'
    )
    found = [[str(one) for one in slurm_job.manifest_artifacts(path, name)] for name in ("batch", "arm-long")]
    assert found == [["oci:/l:all"], ["oci:/l:all", "oci:/l:arm"]]
    path.write_text('[[prepare]]\nartifact = ["oci:/l:all"]\n')
    with pytest.raises(UsageError, match=r"prepare\[0\].artifact: unknown key; did you mean 'artifacts'"):
        slurm_job.manifest_artifacts(path, "batch")
    path.write_bytes(b"#" * (1 << 20) + b"\n[[prepare]]\n")
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        slurm_job.manifest_artifacts(path, "batch")
    path.chmod(0o666)
    with pytest.raises(ArgosyError, match="others can write it"):
        slurm_job.manifest_artifacts(path, "batch")


def test_a_job_that_names_nothing_is_let_through_before_python_starts() -> None:
    def status(script: str, **environment: str) -> int:
        return subprocess.run(["sh", "-c", script], env=environment, capture_output=True).returncode

    script = hook_script.prolog_script(["no-such-command"], closed=True, looks_at_comment=True)
    assert [status(script), status(script, SLURM_JOB_COMMENT="for Ann")] == [0, 0]
    assert status(script, SLURM_JOB_COMMENT="argosy=oci:/l:x") == status(script, SPANK_ARGOSY_ARTIFACTS="oci:/l:x") == 2
    always = hook_script.prolog_script(["no-such-command"], closed=True, looks_at_comment=False)
    open_one = hook_script.prolog_script(["no-such-command"], closed=False, looks_at_comment=False)
    assert (status(always), status(open_one)) == (2, 0)


def test_nodes_that_are_described_alike_are_one_kind_and_an_idle_one_of_them_is_first() -> None:
    lines = [
        NODE.format(name="n1", features="avx2", state="ALLOCATED"),
        NODE.format(name="n2", features="avx2", state="IDLE"),
        NODE.format(name="n3", features="avx2", state="IDLE+DRAIN"),
        NODE.format(name="n4", features="avx512", state="IDLE*"),
        NODE.format(name="n5", features="(null)", state="MIXED"),
    ]
    found = {kind.features: (kind.nodes, kind.unfit) for kind in slurm_commands.group(lines)}
    assert found == {"avx2": (("n2", "n1"), ("n3",)), "avx512": ((), ("n4",)), "": (("n5",), ())}


def test_each_node_says_for_itself_and_ranks_become_its_own_launcher(tmp_path: Path) -> None:
    answers = """\
1: n2
0: n1
0: argosy: compiled again: its digest is not the one noted
0: {
1: {"launcher": "/arm/argosy-launch", "path": "/cache/arm.cwasm"}
0:  "launcher": "/x86/argosy-launch",
0:  "path": "/cache/x86.cwasm"
0: }
srun: a word of its own
"""
    nodes = slurm_launch.parse_answers(answers)
    assert nodes == (
        OnNode(name="n1", launcher=Path("/x86/argosy-launch"), code=Path("/cache/x86.cwasm")),
        OnNode(name="n2", launcher=Path("/arm/argosy-launch"), code=Path("/cache/arm.cwasm")),
    )
    with pytest.raises(ArgosyError, match="node n1 did not say"):
        slurm_launch.parse_answers("0: n1\n0: killed\n")


def test_what_a_node_answers_is_found_among_other_lines() -> None:
    assert hook_script.answer('a warning {of srun}\n{\n  "path": "/x"\n}\nanother\n') == {"path": "/x"}
    with pytest.raises(ValueError, match="no JSON in 'a warning"):
        hook_script.answer("a warning {of srun}\n")
    assert hook_script.failure(Finished(status=3, output=" \n")) == "it ended with 3"


def test_nodes_with_another_launcher_get_it_and_all_words_arrive_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ours", "the irs"):
        (tmp_path / name).write_text(f'#!/bin/sh\nprintf "<%s>" "{name}" "$@"\n')
        (tmp_path / name).chmod(0o755)
    nodes = [
        OnNode(name="n1", launcher=tmp_path / "ours", code=Path("/x")),
        OnNode(name="n2", launcher=tmp_path / "the irs", code=Path("/y")),
    ]
    monkeypatch.setattr(slurm_commands, "program", lambda name: Path("/bin") / name)
    launch = [str(tmp_path / "ours"), "--argv0", "a b", "$HOME;'\""]
    command = slurm_launch.srun_command(launch, plugin="pmi2", ranks=4, nodes=nodes)
    assert command[:3] == ["/bin/srun", "--mpi=pmi2", "--ntasks=4"]
    for node, name in (("n1", "ours"), ("n2", "the irs")):
        done = subprocess.run(command[3:], capture_output=True, text=True, env={"SLURMD_NODENAME": node})
        assert done.stdout == f"<{name}><--argv0><a b><$HOME;'\">"
    alike = slurm_launch.srun_command(launch, plugin="pmi2", ranks=None, nodes=nodes[:1])
    assert alike == ["/bin/srun", "--mpi=pmi2", *launch]


@pytest.mark.parametrize("value", ['a"b', "a\nb", "a\\b", "a#b", "a'b"])
def test_what_sbatch_would_read_otherwise_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="cannot stand in a line"):
        Batch(options=(("job-name", value),), command=("true",)).text()
    with pytest.raises(UsageError, match="not an option of sbatch"):
        Batch(options=(), words=(f"-J{value}",), command=("true",)).text()


def test_a_folder_is_named_by_its_whole_path_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("plain", "a:b"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "plain")
    assert main(["slurm", "submit", "oci:layout:layout"]) == 0
    assert f"argosy=oci:{tmp_path}/plain/layout:layout" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / "a:b")
    assert main(["slurm", "submit", "oci:layout:layout"]) == 2
    assert f"cannot name {tmp_path}/a:b/layout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["oci-archive:x.tar:y"], "is an archive"),
        (["oci:/a path:y"], "cannot stand in a job's comment"),
        (["-n0", "oci:/l:y"], "at least one of its ntasks"),
        (["--dir", "/nowhere/at/all", "oci:/l:y"], "not a folder here"),
        ([], "name the artifact"),
    ],
)
def test_what_cannot_be_submitted_is_told_before_anything_is_written(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["slurm", "submit", "-o", str(tmp_path / "job.sbatch"), *words]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "job.sbatch").exists()

"""Traces of MPI tell what a known program did, to the call and the byte, however it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mpi_programs
import pytest

from argosy.errors import ArgosyError
from argosy.launcher import build
from argosy.site import run, trace, trace_plot

_OPTIONS = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def traced(folder: Path, library: str, *arguments: str) -> tuple[mpi_programs.Done, tuple[trace.RankTrace, ...]]:
    """What the program `traced.c` did on four ranks, as it and its trace say."""
    wasm = mpi_programs.compiled("traced.c")
    done = mpi_programs.start(
        wasm, library, ranks=4, arguments=arguments, trace=trace.prepare_folder(folder, clean=True)
    )
    return done, trace.read(folder)


def calls(ranks: tuple[trace.RankTrace, ...], name: str) -> list[tuple[int, int, int]]:
    """Calls, bytes sent and received of the function, on each rank."""
    found = []
    for rank in ranks:
        one = [function for function in rank.functions if function.function == name]
        found.append((one[0].calls, one[0].bytes_sent, one[0].bytes_received) if one else (0, 0, 0))
    return found


@pytest.mark.parametrize("library", ["mpich", "openmpi"])
def test_counts_and_bytes_are_exact(library: str, tmp_path: Path) -> None:
    done, ranks = traced(tmp_path, library)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors
    assert [(rank.rank, rank.size, rank.ended) for rank in ranks] == [(number, 4, "finalized") for number in range(4)]
    assert calls(ranks, "MPI_Init") == [(1, 0, 0)] * 4
    assert calls(ranks, "MPI_Sendrecv") == [(3, 2400, 2400)] * 4
    # To MPI_PROC_NULL and to a rank that does not exist nothing is sent.
    assert calls(ranks, "MPI_Send") == [(3, 32, 0)] + [(2, 0, 0)] * 3
    assert calls(ranks, "MPI_Recv") == [(0, 0, 0)] * 3 + [(1, 0, 32)]
    assert calls(ranks, "MPI_Bcast") == [(1, 0, 40), (1, 40, 0), (1, 0, 40), (1, 0, 40)]
    assert calls(ranks, "MPI_Allreduce") == [(1, 40, 40)] * 4
    assert calls(ranks, "MPI_Gather") == [(1, 28, 0), (1, 28, 0), (1, 28, 112), (1, 28, 0)]
    assert calls(ranks, "MPI_Allgatherv") == [(1, 8 * (rank + 1), 80) for rank in range(4)]
    assert calls(ranks, "MPI_Barrier") == [(1, 0, 0)] * 4
    sent = trace.matrix(trace.summarize(ranks))
    expected = [[2400 * (to == (source + 1) % 4) for to in range(4)] for source in range(4)]
    expected[0][3] += 32  # its rank in the other communicator is 0
    assert sent == expected


@pytest.mark.parametrize("library", ["mpich", "openmpi"])
def test_times_add_up(library: str, tmp_path: Path) -> None:
    for rank in traced(tmp_path, library)[1]:
        assert 0 < rank.mpi_s <= rank.wall_s
        assert rank.mpi_s == pytest.approx(sum(function.time_s for function in rank.functions), rel=1e-6)
        for function in rank.functions:
            assert 0 < function.time_min_s <= function.time_s / function.calls <= function.time_max_s


@pytest.mark.parametrize("library", ["mpich", "openmpi"])
@pytest.mark.parametrize(("ending", "word"), [("trap", "trapped"), ("abort", "aborted")])
def test_a_rank_that_ends_the_job_leaves_its_trace(library: str, ending: str, word: str, tmp_path: Path) -> None:
    done, ranks = traced(tmp_path, library, ending)
    assert done.status != 0
    [rank] = [rank for rank in ranks if rank.rank == 1]
    assert rank.ended == word
    assert calls((rank,), "MPI_Sendrecv") == [(3, 2400, 2400)]


def test_a_terminated_rank_leaves_its_trace_and_says_where_it_waited(tmp_path: Path) -> None:
    wasm = mpi_programs.compiled("traced.c")
    mpi_programs.start(wasm, "mpich", ranks=4)  # so that all is compiled
    start = mpi_programs.prepared(wasm, "mpich", ranks=4, arguments=("wait",), trace=tmp_path)
    with subprocess.Popen(start.command, env=start.environment, stdout=subprocess.PIPE) as job:
        try:
            assert job.stdout is not None
            for _ in range(4):
                assert job.stdout.readline() == b"waiting\n"
            time.sleep(0.5)
            launchers = [
                int(path.name)
                for path in Path("/proc").iterdir()
                if path.name.isdigit() and str(tmp_path).encode() in _command(path) and _command(path).startswith(b"/")
            ]
            ranks = [pid for pid in launchers if Path(f"/proc/{pid}/exe").resolve().name == build.EXECUTABLE]
            assert len(ranks) == 4
            os.kill(ranks[0], signal.SIGTERM)
            job.wait(timeout=60)
        finally:
            job.kill()  # or what fails above would wait for ranks that wait for ever
    found = trace.read(tmp_path)
    assert found and all((rank.ended, rank.in_call) == ("terminated", "MPI_Recv") for rank in found)
    assert found[0].in_call_s > 0.3


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_the_summary_adds_the_ranks(tmp_path: Path) -> None:
    ranks = traced(tmp_path, "mpich")[1]
    summary = trace.summarize(ranks)
    [one] = [function for function in summary.functions if function.function == "MPI_Sendrecv"]
    assert (one.calls, one.bytes_sent, one.bytes_received) == (12, 9600, 9600)
    assert one.time_min_s <= one.time_mean_s <= one.time_max_s <= one.time_sum_s
    assert one.time_sum_s == pytest.approx(4 * one.time_mean_s)
    assert [rank.mpi_share for rank in summary.ranks] == [min(1, rank.mpi_s / rank.wall_s) for rank in ranks]
    assert trace.summarize(ranks[1:]).missing == (0,)
    trace_plot.plot(summary, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def argosy(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **_OPTIONS, "ARGOSY_MPICC": str(mpi_programs.library("mpich").mpicc)}
    command = [sys.executable, "-m", "argosy.cli", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_a_traced_run_prints_its_summary_and_keeps_status_and_output(tmp_path: Path) -> None:
    wasm = mpi_programs.compiled("traced.c")
    done = argosy("run", "-n", "4", "--trace", "mpi=there", "--unsigned", wasm, folder=tmp_path)
    assert (done.stdout, done.returncode) == ("ok\n", 0)
    assert "MPI_Sendrecv" in done.stderr and "9.38 KiB" in done.stderr
    summary = json.loads((tmp_path / "there/summary.json").read_text())
    assert [rank["rank"] for rank in summary["ranks"]] == [0, 1, 2, 3]
    assert (tmp_path / "there/trace.png").exists()
    again = argosy("trace", "--json", "there", folder=tmp_path)
    assert json.loads(again.stdout) == summary
    failed = argosy("run", "-n", "4", "--trace", "mpi=there", "--unsigned", wasm, "--", "trap", folder=tmp_path)
    assert failed.returncode not in (0, 1)
    assert "trapped" in failed.stderr


def test_a_folder_that_cannot_be_written_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wasm = mpi_programs.compiled("traced.c")
    done = argosy("run", "-n", "4", "--trace", "mpi=file/there", "--unsigned", wasm, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot write traces to file/there" in done.stderr and "--trace mpi=FOLDER" in done.stderr
    assert argosy("run", "--trace", "io", "--unsigned", wasm, folder=tmp_path).returncode == 2
    launcher = build.launcher(mpi_programs.library("mpich"))
    start = mpi_programs.prepared(wasm, "mpich", ranks=1)
    said = subprocess.run(
        [launcher, "--trace-mpi", tmp_path / "nowhere", start.command[-1]], capture_output=True, text=True
    )
    assert said.returncode == 126 and "cannot write traces" in said.stderr


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgosyError, match="holds no trace"):
        trace.read(tmp_path)
    (tmp_path / "rank-0.jsonl").write_text('{"format": "other", "version": 1}\n')
    with pytest.raises(ArgosyError, match="not a trace"):
        trace.read(tmp_path)


def test_an_untraced_run_has_nothing_of_tracing_in_the_way() -> None:
    """The callbacks that the linker gets are then the imports' own: link.c names trace_call under one condition."""
    text = (build.SOURCES / "link.c").read_text()
    assert text.count("trace_call") == 1
    assert "if (traced) {\n        data = trace_import(have, call, data);\n        call = trace_call;\n    }" in text
    assert run.prepare.__kwdefaults__["trace"] is None

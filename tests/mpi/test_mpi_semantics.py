"""MPI programs behave as natively, under every MPI library: what they compute, what they are refused, how they end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mpi_programs
import pytest
from mpi_programs import LIBRARIES

PROGRAMS = (
    *("sentinels.c", "datatypes.c", "requests.c", "callbacks.c"),
    *("errors.c", "collectives.c", "between.c", "windows.c", "profile.c", "quads.c", "reuse.c"),
    *("shared.c", "dynamic.c", "environment.c", "nulls.c"),
    *("grequests.c", "tools.c", "datarep.c", "every_type.c"),
)

WITH_SESSIONS = ("wheel", "abi", "mpich")


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_computes_what_the_standard_says(
    program: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpi_programs, "RANK_ENVIRONMENT", mpi_programs.OVERWRITING)
    done = mpi_programs.start(mpi_programs.compiled(program), library, ranks=4)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_store_outside_memory_is_told_with_its_place(library: str) -> None:
    done = mpi_programs.start(mpi_programs.compiled("fault.c"), library, ranks=2)
    assert done.status != 0
    assert "rank 0: memory fault at wasm address 0xfffffff0" in done.errors, done.errors
    assert "main (at " in done.errors, done.errors


@pytest.mark.parametrize("library", LIBRARIES)
def test_control_variables_are_written_where_that_is_granted(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpi_programs, "RANK_ENVIRONMENT", {"ARGOSY_CVARS": "no_such_variable,*"})
    done = mpi_programs.start(mpi_programs.compiled("tools.c"), library, ranks=1, arguments=("granted",))
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


@pytest.fixture
def event_source(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ranks' MPI library has an event and converts files: what stands for both comes before it."""
    source = Path(__file__).with_name("native") / "event_source.c"
    made = tmp_path / "event_source.so"
    mpicc = mpi_programs.library(library).mpicc
    command = [mpicc, "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", source, "-o", made, "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr(mpi_programs, "RANK_ENVIRONMENT", {"LD_PRELOAD": str(made)})


@pytest.mark.usefixtures("event_source")
@pytest.mark.parametrize("library", ["wheel", "abi", "mpich"])
def test_events_and_conversions_call_the_program(library: str) -> None:
    done = mpi_programs.start(mpi_programs.compiled("events.c"), library, ranks=2)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


@pytest.mark.usefixtures("event_source")
@pytest.mark.parametrize("library", ["wheel"])
def test_an_event_function_that_communicates_ends_the_job(library: str) -> None:
    done = mpi_programs.start(mpi_programs.compiled("events.c"), library, ranks=2, arguments=("send",))
    assert done.status != 0
    assert "MPI_Send: called inside a tool's event function" in done.errors, done.errors


@pytest.mark.parametrize("library", ["wheel", "mpich"])
def test_large_counts_reach_libraries_that_have_them(library: str) -> None:
    done = mpi_programs.start(mpi_programs.compiled("large.c"), library)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


@pytest.mark.parametrize("library", ["wheel", "mpich"])
def test_partitions_are_given_once(library: str) -> None:
    done = mpi_programs.start(mpi_programs.compiled("partitions.c"), library)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


@pytest.mark.parametrize("library", WITH_SESSIONS)
def test_sessions_serve_alone_again_beside_the_world_and_after_it(library: str) -> None:
    done = mpi_programs.start(mpi_programs.compiled("sessions.c"), library, ranks=4)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


@pytest.mark.parametrize("library", ["wheel", "abi"])
def test_buffered_sends_leave_from_whose_buffer_they_are(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpi_programs, "RANK_ENVIRONMENT", mpi_programs.OVERWRITING)
    done = mpi_programs.start(mpi_programs.compiled("buffers.c"), library, ranks=2)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


ENDINGS_OF_SESSIONS = {
    "world": ("MPI_Comm_size", "`comm`"),
    "after": ("MPI_Comm_size", "after the last MPI_Session_finalize"),
    "finalize": ("MPI_Finalize", "before MPI_Init"),
    "trap": ("rank 1", "unreachable"),
    "handler": ("MPI_Session_init", "`info`"),
    "abort": (),
}


@pytest.mark.parametrize("library", WITH_SESSIONS)
@pytest.mark.parametrize("way", ENDINGS_OF_SESSIONS)
def test_a_program_of_sessions_alone_ends_its_whole_job_and_says_why(way: str, library: str) -> None:
    done = mpi_programs.start(mpi_programs.compiled("sessions_fatal.c"), library, arguments=(way,))
    assert done.status != 0
    assert "went on" not in done.output
    for words in ENDINGS_OF_SESSIONS[way]:
        assert words in done.errors, done.errors


def test_a_library_without_sessions_is_refused_by_name() -> None:
    said = mpi_programs.refusal(mpi_programs.compiled("sessions.c"), "openmpi")
    for name in ("MPI_Session_init", "MPI_Comm_create_from_group", "MPI_Session_create_errhandler"):
        assert name in said


def test_what_the_node_lacks_is_named_before_anything_starts() -> None:
    said = mpi_programs.refusal(mpi_programs.compiled("large.c"), "openmpi")
    for name in ("MPI_Irecv_c", "MPI_Send_c", "MPI_Get_count_c", "MPI_Allgatherv_c", "MPI_Type_vector_c"):
        assert name in said


@pytest.mark.parametrize("library", LIBRARIES)
def test_files_are_opened_inside_the_granted_folder_only(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpi_programs, "RANK_ENVIRONMENT", mpi_programs.OVERWRITING)
    granted, elsewhere = mpi_programs.with_links(tmp_path), tmp_path / "elsewhere"
    done = mpi_programs.start(mpi_programs.compiled("files.c"), library, granted=granted)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors
    assert [secret.read_text() for secret in (tmp_path / "secret", elsewhere / "secret")] == ["kept", "kept"]
    assert sorted(path.name for path in elsewhere.iterdir()) == ["secret"]
    assert sorted(path.name for path in granted.iterdir()) == ["dangling", "grown", "link", "outside", "shared"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_files_and_memory_agree_on_where_data_lie(library: str, tmp_path: Path) -> None:
    done = mpi_programs.start(mpi_programs.compiled("placing.c"), library, granted=tmp_path)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


# What a launcher asks those of the other ranks, and how many words a guest would have to answer with.
EXCHANGES = {"window": "4", "dynamic": "4", "shared": "4", "file": "2"}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("what", EXCHANGES)
def test_no_guest_answers_in_its_launchers_place(what: str, library: str, tmp_path: Path) -> None:
    arguments = (what, EXCHANGES[what])
    done = mpi_programs.start(
        mpi_programs.compiled("overheard.c"), library, ranks=3, arguments=arguments, granted=tmp_path
    )
    assert done.output.startswith("ok\n"), done.output + done.errors


def test_cpp_programs_use_the_same_header() -> None:
    done = mpi_programs.start(mpi_programs.compiled("plusplus.cc", "-std=c++17", "-Wpedantic"), "wheel")
    assert (done.output, done.status) == ("ok\n", 0), done.errors


ENDINGS = {
    "buffer": ("MPI_Send", "`buf`"),
    "operation": ("MPI_Barrier", "reduction"),
    "before": ("MPI_Comm_rank", "before MPI_Init"),
    "after": ("MPI_Comm_size", "after MPI_Finalize"),
    "open": ("MPI_File_open: `absent`: ",),
    "abort": (),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("way", ENDINGS)
def test_what_cannot_go_on_ends_the_whole_job_and_says_why(way: str, library: str, tmp_path: Path) -> None:
    done = mpi_programs.start(mpi_programs.compiled("fatal.c"), library, arguments=(way,), granted=tmp_path)
    assert done.status != 0
    assert "went on" not in done.output
    for words in ENDINGS[way]:
        assert words in done.errors, done.errors


@pytest.mark.parametrize(
    ("program", "call"), [("fatal.c", "MPI_Finalize"), ("sessions_fatal.c", "MPI_Session_finalize")]
)
def test_a_window_that_would_end_mpich_at_its_end_is_told(program: str, call: str) -> None:
    done = mpi_programs.start(mpi_programs.compiled(program), "mpich", arguments=("window",))
    assert done.status != 0
    assert f"{call}: called before MPI_Win_free" in done.errors, done.errors
    assert "Assertion" not in done.errors, done.errors

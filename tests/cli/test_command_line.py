"""The command `argosy` as its user meets it: help, wrong use, exit statuses, start-up, completion."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from needs import need

from argosy.cli import main
from argosy.cli.arguments import grammar
from argosy.errors import ArgosyError, UsageError

COMMANDS = (
    *(
        "build",
        "inspect",
        "keys",
        "push",
        "sign",
        "pull",
        "verify",
        "copy",
        "delete",
        "login",
        "precompile",
        "run",
        "why-not",
    ),
    "cache",
    *("trace", "list", "doctor", "completion"),
)


def argosy(*words: str | Path, **settings: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "argosy.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **settings)  # type: ignore[call-overload,no-any-return]


def test_help_lists_every_command_and_a_first_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(f"\n    {command} " in text or f"\n    {command}\n" in text for command in COMMANDS)
    assert "argosy run -n 4" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_teaches_by_examples_of_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    examples = capsys.readouterr().out.partition("\nexamples:\n")[2]
    assert examples.count(f"  argosy {command}") >= 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["inpect", "x"], "'inpect' is unknown; did you mean 'inspect'?"),
        (["keys", "generat"], "argosy keys: 'generat' is unknown; did you mean 'generate'?"),
        (["inspect", "--jsn", "x"], "argosy inspect has no option '--jsn'; did you mean '--json'?"),
        (["keys", "show", "--polcy=x"], "argosy keys show has no option '--polcy=x'; did you mean '--policy'?"),
        (["inspect"], "argosy inspect: the following arguments are required: FILE"),
        ([], "the following arguments are required: COMMAND"),
        (["inspect", "a", "b"], "argosy inspect: 'b' is one argument too many"),
        (["doctor", "--", "x"], "argosy doctor takes nothing after --"),
        (["completion", "fish"], "argosy completion: 'fish' is unknown; known here: bash, tcsh, zsh"),
        (["doctor", "--js"], "argosy doctor has no option '--js'"),
    ],
)
def test_wrong_use_is_told_with_what_was_meant(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"argosy: error: {told}")
    assert "--help" in captured.err or "argosy run" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(("error", "status"), [(ArgosyError("it broke", advice="mend it"), 1), (UsageError("no"), 2)])
def test_errors_become_a_message_and_a_status(
    error: ArgosyError, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("argosy.site.doctor.node_parts", fail)
    assert main(["doctor"]) == status
    assert capsys.readouterr().err == f"argosy: error: {error}\n"


def test_help_comes_at_once() -> None:
    """In processor seconds, which a busy machine changes little, the best of five: with Python's own start, 150 ms."""
    seconds = []
    for _ in range(5):
        before = os.times()
        assert argosy("--help").returncode == 0
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(seconds) < 0.15, seconds


def test_starting_imports_no_room_and_no_slow_package() -> None:
    code = "import sys, argosy.cli; from argosy.cli.arguments import grammar; grammar(); print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    rooms = {f"argosy.{room}" for room in ("build", "site", "oci", "sign", "launcher", "mpi", "model")}
    assert "argosy.cli.run" in loaded
    assert loaded & (rooms | {"SCons", "wasmtime", "requests", "cryptography", "tqdm", "shtab", "elftools"}) == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["insp"], ["inspect"]),
        (["keys", "g"], ["generate"]),
        (["run", "--read"], ["--read-only"]),
        (["inspect", "mod"], ["module.wasm"]),
        (["run", "--dir", "da"], ["data"]),
        (["completion", "t"], ["tcsh"]),
    ],
)
def test_completion_works_in_a_real_bash(typed: list[str], offered: list[str], tmp_path: Path) -> None:
    (tmp_path / "module.wasm").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data.txt").touch()
    script = argosy("completion", "bash").stdout
    line = " ".join(["argosy", *typed])
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(typed)}; _shtab_argosy argosy {typed[-1]}; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert done.stdout.split() == offered, done.stderr


def test_ctrl_c_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.key"
    os.mkfifo(pipe)
    child = subprocess.Popen(
        [sys.executable, "-m", "argosy.cli", "keys", "show", pipe], stderr=subprocess.PIPE, text=True
    )
    time.sleep(1)  # it waits for the pipe's writer by now
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=30)
    assert child.returncode == 130
    assert told == "argosy: interrupted\n"


def test_a_reader_that_goes_away_gives_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "argosy.cli", "completion", "bash"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_building_without_scons_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "SConstruct").write_text("")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["build", "-C", str(tmp_path)]) == 1
    assert "pip install 'argosy[build]'" in capsys.readouterr().err


def test_building_where_there_is_no_sconstruct_is_wrong_use(tmp_path: Path) -> None:
    done = argosy("build", cwd=tmp_path)
    assert done.returncode == 2
    assert f"there is no SConstruct in {tmp_path}" in done.stderr


def test_build_passes_targets_jobs_and_status_to_scons(tmp_path: Path) -> None:
    (tmp_path / "SConstruct").write_text(
        "print('targets', *COMMAND_LINE_TARGETS, ARGUMENTS, GetOption('num_jobs'))\n"
        "Alias('one', Command('made', [], 'exit 3'))\n"
    )
    done = argosy("build", "-C", tmp_path, "-j", "2", "one", "NUMERICS=exact")
    assert "targets one {'NUMERICS': 'exact'} 2" in done.stdout
    assert done.returncode == 2  # SCons's own status for a failed build
    assert "made" in done.stderr


def test_doctor_tells_parts_as_json_and_by_its_status_whether_runs_are_possible(tmp_path: Path) -> None:
    environment = {**os.environ, "ARGOSY_CACHE": str(tmp_path / "cache")}
    done = argosy("doctor", "--json", env=environment)
    report = json.loads(done.stdout)
    parts = {part["name"]: part for part in report["parts"]["run"] + report["parts"]["build"]}
    assert {
        "Python",
        "wasmtime",
        "MPI",
        "C compiler",
        "cache",
        "AOT cache",
        "disk",
        "trust policy",
        "toolchain",
    } <= set(parts)
    assert report["can_run"] == (done.returncode == 0)
    assert parts["cache"]["facts"]["folder"] == str(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()  # looking makes nothing


def test_doctor_on_a_bare_node_explains_each_part(tmp_path: Path) -> None:
    """No program on PATH: what comes with this Python is found all the same, and each other part has its advice."""
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "ARGOSY_CACHE": str(tmp_path / "cache")}
    report = json.loads(argosy("doctor", "--json", env=environment).stdout)
    parts = report["parts"]["run"] + report["parts"]["build"]
    assert {part["name"] for part in parts if part["state"] != "ok"} >= {
        "make",
        "trust policy",
        "skopeo",
        "signing key",
    }
    assert all(part["advice"] and part["purpose"] for part in parts if part["state"] != "ok")


def launcher_part(**environment: str) -> dict[str, object]:
    done = argosy("doctor", "--json", env={**os.environ, **environment})
    (part,) = [part for part in json.loads(done.stdout)["parts"]["run"] if part["name"] == "launcher"]
    return dict(part)


def test_doctor_says_which_launcher_a_run_uses_and_why(tmp_path: Path) -> None:
    mpicc = tmp_path / "bin/mpicc_abi"
    for folder in ("bin", "include", "lib", "cache"):
        (tmp_path / folder).mkdir()
    (tmp_path / "include/mpi.h").write_text("#define MPI_ABI_VERSION 1\n#define MPI_ABI_SUBVERSION 0\n")
    mpicc.write_text(f"#!/bin/sh\necho cc -DMPI_ABI -I{tmp_path}/include -L{tmp_path}/lib -lmpi_abi\n")
    mpicc.chmod(0o755)
    where = {"ARGOSY_MPICC": str(mpicc), "ARGOSY_CACHE": str(tmp_path / "cache")}
    part = launcher_part(**where)
    facts = part["facts"]
    assert isinstance(facts, dict)
    assert (facts["form"], facts["against"], facts["is_built"]) == ("abi", "MPI ABI 1.0", False)
    assert "not built yet" in str(part["found"]) and "chosen: $ARGOSY_MPICC" in str(part["found"])
    folder = Path(facts["folder"])
    folder.mkdir(parents=True)
    (folder / "argosy-launch").touch(mode=0o755)
    facts = launcher_part(**where)["facts"]
    assert isinstance(facts, dict)
    assert facts["is_built"] and facts["all"] == [str(folder)]

    (tmp_path / "include/mpi.h").write_text('#define MPICH_VERSION "4.3.1"\n')
    mpicc.write_text(mpicc.read_text().replace("-DMPI_ABI", ""))
    part = launcher_part(**where)
    facts = part["facts"]
    assert isinstance(facts, dict)
    assert (facts["form"], facts["against"], facts["is_built"]) == ("library", "MPICH 4.3.1", False)
    assert "1 more in the cache" in str(part["found"])


def test_doctor_says_that_zig_compiles_where_there_is_no_compiler(tmp_path: Path) -> None:
    if importlib.util.find_spec("ziglang") is None:
        need("ziglang", "pip install 'argosy[node]'")
    (tmp_path / "sh").symlink_to("/bin/sh")
    (tmp_path / "include").mkdir()
    (tmp_path / "include/mpi.h").write_text('#define MPICH_VERSION "4.3.1"\n')
    mpicc = tmp_path / "mpicc"
    mpicc.write_text(f"#!/bin/sh\necho cc -I{tmp_path}/include -lmpi\n")
    mpicc.chmod(0o755)
    part = launcher_part(PATH=str(tmp_path), ARGOSY_CACHE=str(tmp_path / "cache"), CC="", ARGOSY_MPICC="")
    facts = part["facts"]
    assert isinstance(facts, dict)
    assert facts["compiled_by"] == "zig cc"
    assert "no cc, gcc or clang on PATH" in str(part["found"]) and "chosen: mpicc on PATH" in str(part["found"])


def test_doctor_names_a_broken_toolchain(tmp_path: Path) -> None:
    half = tmp_path / "cache/toolchains/packages-half"
    half.mkdir(parents=True)
    (half / "argosy-toolchain.json").write_text("{")
    report = json.loads(argosy("doctor", "--json", env={**os.environ, "ARGOSY_CACHE": str(tmp_path / "cache")}).stdout)
    (part,) = [part for part in report["parts"]["build"] if part["name"] == "toolchain"]
    assert part["state"] == "warning" and f"broken: {half}" in part["found"] and str(half) in part["advice"]


def test_doctor_names_what_is_missing_what_it_is_for_and_how_to_get_it(tmp_path: Path) -> None:
    done = argosy("doctor", env={**os.environ, "ARGOSY_MPICC": "mpicc.of-nobody"})
    assert done.returncode == 1
    missing = done.stdout.partition("missing  MPI")[2]
    assert "$ARGOSY_MPICC names mpicc.of-nobody" in missing
    assert "for: carries the messages between ranks" in missing
    assert "pip install mpich" in missing
    assert "this node cannot run artifacts yet" in done.stdout


def test_every_option_and_argument_is_explained() -> None:
    unexplained = []

    def visit(parser: object) -> None:
        for action in parser._actions:  # type: ignore[attr-defined]
            if isinstance(action.choices, dict):
                for child in action.choices.values():
                    visit(child)
            elif not action.help:
                unexplained.append(f"{parser.prog} {action.dest}")  # type: ignore[attr-defined]

    visit(grammar())
    assert unexplained == []

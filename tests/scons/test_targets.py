"""What SCons offers besides building: help, lists, cleaning, signing, running, checking; and how it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from needs import need, program
from registry_server import RegistryServer
from scons_project import Project, project

from argosy.errors import ArgosyError
from argosy.launcher import mpi_library


@pytest.fixture
def trial(tmp_path: Path) -> Project:
    made = project(tmp_path / "project")
    made.environment["XDG_CONFIG_HOME"] = str(tmp_path / "settings")
    return made


def test_help_teaches_targets_variables_and_recipes(trial: Project) -> None:
    page = trial.scons("-h")
    for word in ("scons list", "scons run RECIPE=", "REGISTRY", "NUMERICS", "About twice", "$ARGOSY_CACHE"):
        assert word in page
    assert not (trial.folder / "build").exists()


def test_list_says_what_there_is_and_what_is_built(trial: Project) -> None:
    trial.scons("alone")
    lines = {line.split()[0]: line for line in trial.scons("list").splitlines() if "About" in line}
    assert " built " in lines["alone"]
    assert " built " not in lines["app"]
    assert " MPI " in lines["ranks"]


def test_toolchain_says_which_compiler_is_used(trial: Project) -> None:
    said = trial.scons("toolchain")
    for name in ("provider", "clang", "sysroot", "digest     sha256:"):
        assert name in said


def test_clean_removes_what_was_built_and_a_dry_run_builds_nothing(trial: Project) -> None:
    trial.scons("-n")
    assert not (trial.folder / "build/alone").exists()
    trial.scons("alone", "twice")
    trial.scons("-c", "alone")
    assert not (trial.folder / "build/alone").exists()
    assert (trial.folder / "build/twice/lock.json").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("RECIPPE=app",), "there is no variable RECIPPE; did you mean 'RECIPE'?"),
        (("alnoe",), "there is no target 'alnoe'; did you mean 'alone'?"),
        (("run", "RECIPE=ap"), "there is no recipe 'ap'; did you mean 'app'?"),
        (("run", "RECIPE=app", "NP=four"), "NP=four: must be a number of ranks"),
        (("NUMERICS=exakt",), "NUMERICS=exakt: did you mean 'exact'?"),
        (("TOOLCHAIN=gcc",), "TOOLCHAIN=gcc: "),
    ],
)
def test_a_word_that_is_wrong_is_refused_before_anything_is_built(
    trial: Project, words: tuple[str, ...], expected: str
) -> None:
    said = trial.scons(*words, status=2)
    assert expected in said
    assert "Traceback" not in said
    assert not (trial.folder / "build").exists()


def test_a_wrong_recipe_is_named_without_a_traceback(trial: Project) -> None:
    recipe = trial.folder / "recipes/app/recipe.toml"
    recipe.write_text(recipe.read_text().replace("[build]", "[biuld]"))
    said = trial.scons(status=2)
    assert "recipes/app/recipe.toml: biuld: unknown key; did you mean 'build'?" in said
    assert "Traceback" not in said


def test_a_build_that_fails_says_why_and_leaves_no_product(trial: Project) -> None:
    trial.write("recipes/alone/src/alone.c", "int nothing(void);\nint main(void) { return nothing(); }\n")
    said = trial.scons("alone", status=2)
    assert "recipe alone failed" in said
    assert "nothing (used in alone.c.o)" in said
    assert "Traceback" not in said
    assert [path.name for path in (trial.folder / "build/alone").glob("*") if path.is_file()] == []


def test_what_was_built_is_signed_published_verified_and_run(trial: Project) -> None:
    said = trial.scons("run", "RECIPE=app")
    build = trial.folder / "build"
    for word in ("build app 1.0", f"sign oci:{build}/registry:app-1.0", "for layout/app", "signed by developer"):
        assert word in said
    assert "\n2\n" in said
    assert "app: the run is as its recipe expects" in said
    key = Path(trial.environment["XDG_CONFIG_HOME"]) / "argosy/argosy.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert (build / "run/app/stdout.txt").read_text() == "2\n"


def test_each_step_can_be_had_alone(trial: Project) -> None:
    said = trial.scons("sign", "RECIPE=app")
    assert f"sign oci:{trial.folder}/build/registry:app-1.0" in said
    assert "precompile" not in said
    said = trial.scons("precompile", "RECIPE=app")
    assert "signed by developer" in said
    assert ".cwasm" in said
    assert not (trial.folder / "build/run").exists()


def test_a_key_that_the_policy_does_not_know_runs_nothing(trial: Project, tmp_path: Path) -> None:
    trial.scons("run", "RECIPE=app")
    (trial.folder / "build/trust").rename(tmp_path / "trust")
    (Path(trial.environment["XDG_CONFIG_HOME"]) / "argosy/argosy.key").unlink()
    (Path(trial.environment["XDG_CONFIG_HOME"]) / "argosy/argosy.pub").unlink()
    (trial.folder / "build/registry").rename(tmp_path / "old-registry")
    said = trial.scons("run", "RECIPE=app", f"POLICY={tmp_path}/trust/policy.toml", status=2)
    assert "is not trusted" in said
    assert "run app" not in said


def test_check_runs_the_recipes_tests_and_tells_which_failed(trial: Project) -> None:
    assert "app: two: passed" in trial.scons("check", "RECIPE=app")
    recipe = trial.folder / "recipes/app/recipe.toml"
    recipe.write_text(recipe.read_text().replace("value = 2", "value = 3"))
    said = trial.scons("check", "RECIPE=app", status=2)
    assert "app: two: FAILED" in said
    assert "2.0 is not 3.0" in said


def test_ranks_are_run_as_many_as_asked_for(trial: Project) -> None:
    try:
        mpi_library.find().start_command()
    except ArgosyError as error:
        need("an MPI library", error.advice)
    trial.environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    hello = Path(__file__).resolve().parents[2] / "recipes/hello"
    (trial.folder / "recipes/hello").symlink_to(hello)
    said = trial.scons("run", "RECIPE=hello", "NP=4")
    assert [f"Hello from rank {rank} of 4" in said for rank in range(4)] == [True] * 4
    assert "hello: the run is as its recipe expects" in said


def test_artifacts_are_published_to_a_registry_and_run_from_there(trial: Project, open_server: RegistryServer) -> None:
    place = f"{open_server.host}/trial/codes"
    said = trial.scons("publish", "RECIPE=app", f"REGISTRY={place}", "BUILDER=https://builder.example/1")
    assert f"sign {place}/app:1.0" in said
    assert "with provenance and bill of materials, built by https://builder.example/1" in said
    said = trial.scons("run", "RECIPE=app", f"REGISTRY={place}")
    assert f"verify {place}/app:1.0" in said
    assert f"for {place}/app" in said
    assert not (trial.folder / "build/registry").exists()


def test_a_registry_that_is_down_is_named(trial: Project) -> None:
    trial.scons("app")
    said = trial.scons("publish", "RECIPE=app", "REGISTRY=127.0.0.1:9/codes", status=2)
    assert "127.0.0.1:9" in said
    assert "Traceback" not in said


def _sleeping(mark: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", mark.encode()]:
            found.append(int(process.name))
    return found


@pytest.mark.parametrize("jobs", ["-j1", "-j2"])
def test_ctrl_c_ends_the_build_and_all_that_it_started(trial: Project, jobs: str) -> None:
    program("make", "apt-get install make")
    mark = f"{os.getpid()}.{jobs[-1]}"
    trial.recipe("slow", "")
    trial.write("recipes/slow/src/Makefile", f"all:\n\tsleep {mark}\n")
    recipe = trial.folder / "recipes/slow/recipe.toml"
    recipe.write_text(recipe.read_text().replace('kind = "sources"\nsources = ["*.c"]', 'kind = "make"'))
    scons = subprocess.Popen(
        [sys.executable, "-m", "SCons", jobs, "slow"],
        cwd=trial.folder,
        env={**os.environ, **trial.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        waited = time.monotonic()
        while not _sleeping(mark) and time.monotonic() - waited < 120:
            time.sleep(0.1)
        assert _sleeping(mark)
        os.kill(scons.pid, signal.SIGINT)
        said, _ = scons.communicate(timeout=20)
    finally:
        scons.kill()
    assert scons.returncode == 2
    assert "interrupted" in said
    assert "Traceback" not in said
    assert _sleeping(mark) == []
    assert not (trial.folder / "build/slow/lock.json").exists()
    assert trial.built("slow") == ["slow"]


def _running(words: bytes) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if words in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_ctrl_c_in_a_run_ends_every_rank(trial: Project) -> None:
    try:
        mpi_library.find().start_command()
    except ArgosyError as error:
        need("an MPI library", error.advice)
    trial.environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    trial.recipe(
        "spin",
        "#include <mpi.h>\n#include <unistd.h>\nint main(void) { MPI_Init(0, 0); for (;;) sleep(1); }\n",
        head="mpi = true",
    )
    folder = str(trial.folder / "build/run/spin").encode()
    trial.write(
        "recipes/spin/recipe.toml",
        (trial.folder / "recipes/spin/recipe.toml").read_text()
        + '[run]\nranks = 2\n[capabilities]\nfolders = [{ path = ".", writable = true }]\n',
    )
    scons = subprocess.Popen(
        [sys.executable, "-m", "SCons", "run", "RECIPE=spin"],
        cwd=trial.folder,
        env={**os.environ, **trial.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        waited = time.monotonic()
        while len(_running(folder)) < 2 and time.monotonic() - waited < 120:
            time.sleep(0.1)
        assert _running(folder)
        time.sleep(1)
        os.kill(scons.pid, signal.SIGINT)
        said, _ = scons.communicate(timeout=20)
    finally:
        scons.kill()
    assert scons.returncode == 2
    assert "Traceback" not in said
    assert _running(folder) == []


def test_the_tool_works_from_site_scons_and_for_two_environments(trial: Project) -> None:
    (trial.folder / "site_scons").symlink_to(Path(__file__).resolve().parents[2] / "site_scons")
    construct = trial.folder / "SConstruct"
    construct.write_text(construct.read_text() + 'env.Clone(tools=["argosy"])\nEnvironment(tools=["argosy"])\n')
    assert "build alone" in trial.scons("alone")

"""SCons builds recipes by content: nothing when nothing changed, and exactly what depends on what did."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import pytest
from scons_project import Project, project

import argosy
from argosy.build import toolchain
from argosy.files import sha256_of
from argosy.model import lock

ALL = ["alone", "app", "ranks", "twice"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which everything is built; tests copy it."""
    made = project(tmp_path_factory.mktemp("project"))
    made.scons()
    return made.folder


@pytest.fixture
def trial(built: Path, tmp_path: Path) -> Project:
    """A copy of the built project."""
    shutil.copytree(built, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def test_everything_is_built_with_its_lock(trial: Project) -> None:
    build = trial.folder / "build"
    for name in ALL:
        assert (build / name / "lock.json").is_file()
    found = lock.parse((build / "app/lock.json").read_text(), where="lock.json")
    twice = lock.parse((build / "twice/lock.json").read_text(), where="lock.json")
    assert found.programs["app"].hex == sha256_of(build / "app/app.wasm")
    assert found.requires == {"twice": twice.digest()}
    assert found.toolchain_digest == twice.toolchain_digest


def test_nothing_is_built_again_and_that_is_quickly_said(trial: Project) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "up to date" in trial.scons()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.0


def test_a_touched_file_is_no_change(trial: Project) -> None:
    for path in (trial.folder / "recipes").rglob("*"):
        os.utime(path, (0, 0))
    assert trial.built() == []


def test_a_changed_source_rebuilds_what_depends_on_it(trial: Project) -> None:
    trial.write("recipes/twice/src/twice.c", "int twice(int x) { return x + x; }\n")
    assert trial.built() == ["app", "twice"]


def test_a_changed_flag_of_a_recipe_rebuilds_that_recipe(trial: Project) -> None:
    recipe = trial.folder / "recipes/app/recipe.toml"
    recipe.write_text(recipe.read_text().replace("ONE=1", "ONE=3"))
    assert trial.built() == ["app"]
    trial.scons()
    assert trial.built() == []


def test_a_patch_rebuilds_the_recipe_that_it_is_for(trial: Project) -> None:
    patch = trial.write(
        "recipes/alone/fix.patch",
        "--- a/alone.c\n+++ b/alone.c\n@@ -1 +1 @@\n-int main(void) { return 0; }\n+int main(void) { return 3; }\n",
    )
    recipe = trial.folder / "recipes/alone/recipe.toml"
    listed = recipe.read_text()
    recipe.write_text(f'{listed}[[patch]]\nfile = "fix.patch"\nsha256 = "{sha256_of(patch)}"\n')
    first = sha256_of(trial.folder / "build/alone/alone.wasm")
    assert trial.built() == ["alone"]
    trial.scons()
    assert sha256_of(trial.folder / "build/alone/alone.wasm") != first
    patch.write_text(patch.read_text().replace("return 3", "return 4"))
    recipe.write_text(f'{listed}[[patch]]\nfile = "fix.patch"\nsha256 = "{sha256_of(patch)}"\n')
    assert trial.built() == ["alone"]


@pytest.mark.parametrize("variable", ["FLAGS=-DX=1", "NUMERICS=exact"])
def test_flags_and_numerics_for_all_rebuild_all(trial: Project, variable: str) -> None:
    assert trial.built(variable) == ALL
    assert trial.built(variable, "alone") == ["alone"]


def test_another_toolchain_rebuilds_all_and_the_same_elsewhere_nothing(trial: Project, tmp_path: Path) -> None:
    found = toolchain.find("packages")
    for name in ("one", "same", "other"):
        sdk = tmp_path / name
        sdk.mkdir()
        for part in ("bin", "lib") if name == "other" else ("bin", "lib", "share"):
            (sdk / part).symlink_to(found.prefix / part)
    shutil.copytree(found.prefix / "share", tmp_path / "other/share")
    (tmp_path / "other/share/wasi-sysroot/include/wasm32-wasip1/more.h").write_text("#define MORE 1\n")
    trial.environment["ARGOSY_CACHE"] = str(tmp_path / "cache")
    trial.environment["WASI_SDK_PATH"] = str(tmp_path / "one")
    trial.scons("TOOLCHAIN=wasi-sdk", "alone", "twice")
    trial.environment["WASI_SDK_PATH"] = str(tmp_path / "same")
    assert "up to date" in trial.scons("TOOLCHAIN=wasi-sdk", "alone", "twice")
    trial.environment["WASI_SDK_PATH"] = str(tmp_path / "other")
    said = trial.scons("TOOLCHAIN=wasi-sdk", "alone", "twice")
    assert "build alone" in said
    assert "build twice" in said


def test_argosys_own_code_rebuilds_what_it_makes(trial: Project, tmp_path: Path) -> None:
    root = Path(argosy.__file__).parent
    shutil.copytree(root, tmp_path / "code/argosy", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root.parent / "toolchains", tmp_path / "code/toolchains")
    trial.environment["PYTHONPATH"] = str(tmp_path / "code")

    def changed(name: str) -> list[str]:
        path = tmp_path / "code/argosy" / name
        before = path.read_text()
        path.write_text(before + "\n# changed\n")
        rebuilt = trial.built()
        path.write_text(before)
        return rebuilt

    assert trial.built() == []
    assert changed("build/flags.py") == ALL
    assert changed("model/recipe_build.py") == ALL
    assert changed("mpi/abi.py") == ["ranks"]
    assert changed("mpi/glue/calls.py") == []
    assert changed("oci/push.py") == []


def test_what_was_removed_is_built_again(trial: Project) -> None:
    (trial.folder / "build/alone/alone.wasm").unlink()
    assert trial.built() == ["alone"]
    shutil.rmtree(trial.folder / "build/twice")
    trial.scons()
    assert (trial.folder / "build/twice/lib/libtwice.a").is_file()


def test_the_same_bytes_come_from_another_folder_and_with_other_jobs(built: Path, tmp_path: Path) -> None:
    other = project(tmp_path / "quite/another/place")
    other.scons("-j2")
    for name in ("app", "ranks", "alone"):
        for file in (f"{name}.wasm", "lock.json"):
            assert (other.folder / "build" / name / file).read_bytes() == (built / "build" / name / file).read_bytes()

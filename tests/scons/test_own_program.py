"""A user's own SConstruct, in a folder of its own: builds, signs and publishes their program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scons_project import Project

from argosy.model.note import mpi_abi, recipe_note
from argosy.model.reference import Reference
from argosy.model.wasm import read
from argosy.oci.open import open_registry
from argosy.oci.pull import pull_verified
from argosy.pipeline import rebuild
from argosy.sign.keys import load_public
from argosy.sign.trust import load_trust, write_policy

SCONSTRUCT = """\
env = Environment(tools=["argosy"])
app = env.ArgosyProgram("app", ["app.c", "src/part.c"], mpi=True, numerics="fast", includes=["include"], version="2.1")
env.ArgosyPublish("publish", app)
env.Default(app)
"""


@pytest.fixture
def own(tmp_path: Path) -> Project:
    made = Project(tmp_path / "mycode", {"XDG_CONFIG_HOME": str(tmp_path / "settings")})
    made.write("SConstruct", SCONSTRUCT)
    made.write("include/part.h", "#define PART 7\nint part(void);\n")
    made.write("src/part.c", '#include "part.h"\nint part(void) { return PART; }\n')
    made.write(
        "app.c",
        '#include <mpi.h>\n#include <stdio.h>\n#include "part.h"\n'
        "int main(int argc, char **argv) {\n"
        '    MPI_Init(&argc, &argv);\n    printf("%d\\n", part());\n    return MPI_Finalize();\n}\n',
    )
    return made


def steps(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith(("compile ", "link "))]


def test_each_source_is_compiled_by_itself_and_again_only_when_needed(own: Project) -> None:
    assert steps(own.scons()) == ["compile app.c", "compile src/part.c", "link app.wasm"]
    module = read((own.folder / "app.wasm").read_bytes())
    note = recipe_note(module)
    assert note is not None
    assert (note.name, note.version, note.numerics, mpi_abi(module)) == ("app", "2.1", "fast", "1")
    os.utime(own.folder / "app.c", (0, 0))
    assert "up to date" in own.scons()
    own.write("src/part.c", '#include "part.h"\nint part(void) { return PART + 1; }\n')
    assert steps(own.scons()) == ["compile src/part.c", "link app.wasm"]
    own.write("include/part.h", "#define PART 8\nint part(void);\n")
    assert steps(own.scons()) == ["compile app.c", "compile src/part.c", "link app.wasm"]


def test_changed_options_rebuild(own: Project) -> None:
    own.scons()
    own.write("SConstruct", SCONSTRUCT.replace('numerics="fast"', 'numerics="exact", defines=["X=1"]'))
    assert len(steps(own.scons())) == 3
    note = recipe_note(read((own.folder / "app.wasm").read_bytes()))
    assert note is not None
    assert note.numerics == "exact"


def test_it_is_signed_and_published_so_that_a_policy_accepts_it(own: Project, tmp_path: Path) -> None:
    said = own.scons("publish")
    place = f"oci:{own.folder}/build/registry:app-2.1"
    assert f"sign {place}" in said
    public = load_public(tmp_path / "settings/argosy/argosy.pub")
    write_policy(tmp_path / "trust/policy.toml", keys={"me": public}, repositories=["layout/app"])
    reference = Reference.parse(place)
    trust = load_trust(tmp_path / "trust/policy.toml")
    module = pull_verified(open_registry(reference), reference, trust, cache=tmp_path / "cache")
    assert module.path.read_bytes() == (own.folder / "app.wasm").read_bytes()
    assert (module.identity, module.signers) == ("layout/app", ("me",))


def test_it_has_provenance_by_which_anyone_builds_it_again(own: Project, tmp_path: Path) -> None:
    own.write("app.c", (own.folder / "app.c").read_text() + 'const char *where(void) { return __FILE__ "é"; }\n')
    own.write("include/unused.h", "")
    own.write(
        "SConstruct",
        SCONSTRUCT.replace(
            "mpi=True,", "mpi=True, flags=['-fno-builtin'], defines=['TEXT=\"a \\\\ b\"'], link=['-Wl,--export=where'],"
        ),
    )
    assert "built by https://ci.example/1" in own.scons("publish", "BUILDER=https://ci.example/1")
    built = (own.folder / "app.wasm").read_bytes()
    reference = Reference.parse(f"oci:{tmp_path}/copied:app-2.1")
    (own.folder / "build/registry").rename(tmp_path / "copied")
    own.folder.rename(tmp_path / "gone")
    public = load_public(tmp_path / "settings/argosy/argosy.pub")
    write_policy(tmp_path / "trust/policy.toml", keys={"me": public}, repositories=["layout/app"])
    registry = open_registry(reference)
    planned = rebuild.plan(registry, reference, load_trust(tmp_path / "trust/policy.toml"))
    done = rebuild.rebuild(registry, planned, tmp_path / "again", jobs=2)
    assert done.agrees and done.differences == ()
    assert done.file.read_bytes() == built
    sources = tmp_path / "again/recipes/app/src"
    files = {path.relative_to(sources).as_posix() for path in sources.rglob("*") if path.is_file()}
    assert files == {"app.c", "src/part.c", "include/part.h"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('numerics="fast"', 'numeric="fast"', "ArgosyProgram('app'): unknown option numeric; did you mean 'numerics'?"),
        ('numerics="fast"', 'numerics="fats"', "program app: no numerics 'fats'; did you mean 'fast'?"),
        ('"app.c"', '"../app.c"', "does not lie below"),
        ('["app.c", "src/part.c"]', "[]", "program app: it has no sources"),
    ],
)
def test_what_is_written_wrongly_is_named(own: Project, old: str, new: str, expected: str) -> None:
    own.write("SConstruct", SCONSTRUCT.replace(old, new))
    said = own.scons(status=2)
    assert expected in said
    assert "Traceback" not in said


def test_a_source_that_does_not_compile_is_named_with_what_the_compiler_said(own: Project) -> None:
    own.write("src/part.c", "int part(void) { return PART; }\n")
    said = own.scons(status=2)
    assert "compiling part.c of recipe app failed" in said
    assert "use of undeclared identifier 'PART'" in said
    assert not (own.folder / "app.wasm").exists()


def test_the_tool_is_found_where_only_the_wheel_is_installed(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    source, target = tmp_path / "source", tmp_path / "target"
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        if name.split("/")[0] in ("argosy", "site_scons", "toolchains", "setup.py", "pyproject.toml", "README.md"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((root / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(source)]
    subprocess.run(pip, check=True, capture_output=True)
    assert (target / "SCons/Tool/argosy/__init__.py").is_file()
    assert (target / "share/argosy/toolchains/packages.toml").is_file()
    assert len(list((target / "argosy").rglob("*.py"))) == len(list((source / "argosy").rglob("*.py")))
    assert len(list((target / "argosy").rglob("*.[ch]"))) == len(list((source / "argosy").rglob("*.[ch]")))

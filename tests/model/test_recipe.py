"""recipe.toml is read strictly: what is wrong is named by file and full path."""

from __future__ import annotations

from pathlib import Path

import pytest

from argosy.errors import UsageError
from argosy.model.recipe import Recipe, parse
from argosy.model.recipe_build import AutotoolsBuild, CmakeBuild, MakeBuild, SourcesBuild
from argosy.model.recipe_source import Archive, Beside, Debian, Https, Mirror, Npm, Pypi

HEX = "0123456789abcdef" * 4
WHERE = "recipes/code/recipe.toml"
HEAD = 'name = "code"\nversion = "1.2.3"\nlicence = "BSD-3-Clause"\ndescription = "A code"\nmpi = true\n'
SOURCE = f'[[source]]\nsha256 = "{HEX}"\nlocations = [{{ https = "https://code.example/code-1.2.3.tar.gz" }}]\n'
BUILD = '[build]\nkind = "sources"\nsources = ["*.c"]\n'
PROGRAM = '[[program]]\nname = "code"\n'
GOOD = HEAD + SOURCE + BUILD + PROGRAM


def read(text: str) -> Recipe:
    return parse(text, where=WHERE, folder=Path("recipes/code"))


def complaint(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(text)
    return str(caught.value)


def test_a_recipe_says_what_it_is() -> None:
    recipe = read(GOOD)
    assert (recipe.name, recipe.version, recipe.licence, recipe.mpi) == ("code", "1.2.3", "BSD-3-Clause", True)
    assert recipe.numerics == "fast"
    assert recipe.build == SourcesBuild(sources=("*.c",))
    assert recipe.run is not None
    assert recipe.run.program == "code"


def test_each_kind_of_location_is_read_in_its_order() -> None:
    locations = """[
        { https = "https://code.example/code-1.2.3.tar.gz" }, { debian = "code", file = "code_1.2.3.orig.tar.xz" },
        { pypi = "Code", version = "1.2.3" }, { npm = "@code/code", version = "1.2.3" }, { mirror = "old/code.tgz" },
    ]"""
    recipe = read(HEAD + f'[[source]]\nsha256 = "{HEX}"\nlocations = {locations}\n' + BUILD + PROGRAM)
    [source] = recipe.sources
    assert isinstance(source, Archive)
    assert source.locations == (
        Https(url="https://code.example/code-1.2.3.tar.gz"),
        Debian(package="code", file="code_1.2.3.orig.tar.xz"),
        Pypi(project="Code", version="1.2.3"),
        Npm(package="@code/code", version="1.2.3"),
        Mirror(file="old/code.tgz"),
    )
    assert source.file == "code-1.2.3.tar.gz"
    assert source.digest.hex == HEX


def test_a_folder_beside_the_recipe_is_a_source() -> None:
    assert read(HEAD + '[[source]]\nfolder = "src"\n' + BUILD + PROGRAM).sources == (Beside(folder="src", into="."),)


@pytest.mark.parametrize(
    ("kind", "more", "build"),
    [
        ("make", 'targets = ["x"]\nvariables = { CC = "mpicc" }', MakeBuild(targets=("x",), variables={"CC": "mpicc"})),
        (
            "autotools",
            'configure = ["--x"]\ninstall = ["install"]',
            AutotoolsBuild(configure=("--x",), install=("install",)),
        ),
        ("cmake", 'configure = ["-DX=1"]\ninstall = true', CmakeBuild(configure=("-DX=1",), install=True)),
    ],
)
def test_each_kind_of_build_has_its_keys(kind: str, more: str, build: object) -> None:
    assert read(HEAD + SOURCE + f'[build]\nkind = "{kind}"\n{more}\n' + PROGRAM).build == build


def test_a_test_takes_from_the_run_what_it_does_not_say() -> None:
    run = '[run]\nranks = 4\narguments = ["-x"]\n'
    test = '[[test]]\nname = "small"\nranks = 2\nexpect = [{ contains = "done" }]\n'
    [found] = read(GOOD + run + test).tests
    assert (found.run.ranks, found.run.arguments, found.run.program) == (2, ("-x",), "code")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = code", f"{WHERE}: not TOML"),
        (GOOD.replace("sources =", "soruces ="), f"{WHERE}: build.soruces: unknown key; did you mean 'sources'?"),
        ("licenze = 1\n" + GOOD, f"{WHERE}: licenze: unknown key; did you mean 'licence'?"),
        (GOOD.replace("https =", "http ="), "source[0].locations[0].http: unknown key; did you mean 'https'?"),
        (GOOD.replace('"code"', "7", 1), f"{WHERE}: name: must be text, not a whole number"),
        (GOOD.replace("mpi = true", 'mpi = "yes"'), "mpi: must be true or false, not text"),
        (GOOD.replace("mpi = true\n", ""), "mpi: missing; true or false is needed here"),
        (GOOD.replace('["*.c"]', '["*.c", 3]'), "build.sources[1]: must be text, not a whole number"),
        (GOOD.replace('["*.c"]', '"*.c"'), "build.sources: must be a list, not text"),
        (GOOD.replace('["*.c"]', '["../*.c"]'), "build.sources[0]: '../*.c' must be a path below this folder"),
        (GOOD.replace('["*.c"]', '["/etc/*.c"]'), "build.sources[0]: '/etc/*.c' must be a path below this folder"),
        (GOOD.replace('"sources"', '"scons"'), "build.kind: 'scons' is not known here"),
        (GOOD.replace('"sources"', '"cmake"'), "build.sources: unknown key"),
        (GOOD.replace(HEX, HEX[1:]), "source[0].sha256: "),
        (GOOD.replace(HEX, HEX.upper()), "is not a SHA-256 digest"),
        (GOOD.replace('"code"', '"Code_1"', 1), "name: 'Code_1' is not a name in lower-case"),
        (GOOD.replace("1.2.3", "latest", 1), "version: 'latest' is not a version"),
        (GOOD.replace("BSD-3-Clause", "free for all, really"), "licence: "),
        (GOOD.replace("https://", "http://"), "is not an https:// address"),
        (GOOD.replace(SOURCE, ""), "source: missing"),
        (GOOD.replace(PROGRAM, ""), "program: missing; a recipe makes at least one"),
        (GOOD + PROGRAM, "program[1].name: there is already a program 'code'"),
        (GOOD.replace("mpi = true", 'mpi = true\nnumerics = "quick"'), "numerics: 'quick' is not known here"),
        (GOOD.replace("mpi = true", 'mpi = true\nrequires = ["blas", "blas"]'), "requires: names a recipe twice"),
        (GOOD + "[run]\nranks = 0\n", "run.ranks: 0 is not between 1 and"),
        (GOOD + '[run]\nprogram = "cod"\n', "run.program: 'cod' is not known here; did you mean 'code'?"),
        (GOOD + '[[test]]\nname = "t"\n', "test[0].expect: missing"),
        (GOOD + '[[test]]\nname = "t"\nexpect = [{ matches = "(" }]\n', "expect[0].matches: is not a regular expr"),
        (GOOD + '[[test]]\nname = "t"\nexpect = [{ contains = "x", most = 1 }]\n', "expect[0].most: needs 'matches'"),
        (GOOD + '[[test]]\nname = "t"\nexpect = [{ count = 1 }]\n', "test[0].expect[0]: needs exactly one of"),
        (GOOD + '[capabilities]\nenvironment = ["A B"]\n', "capabilities.environment[0]: 'A B' is not a variable"),
        (GOOD.replace("locations = [{", 'locations = [{ npm = "x",'), "needs exactly one of https, debian"),
        (HEAD + '[[source]]\nfolder = "src"\nstrip = 1\n' + BUILD + PROGRAM, "source[0].strip: has no meaning beside"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(text: str, expected: str) -> None:
    found = complaint(text)
    assert expected in found
    assert found.startswith(WHERE)


def test_the_example_that_teaches_recipes_is_one() -> None:
    page = (Path(__file__).resolve().parents[2] / "recipes/README.md").read_text()
    text = page.split("```toml\n")[1].split("```")[0].replace("…", HEX)
    assert read(text).tests[0].expectations[2].most == 1e-9

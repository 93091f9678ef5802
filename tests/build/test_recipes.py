"""Recipes in a folder: what they need beside them, what they require, in which order they are built."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from argosy.build import recipes
from argosy.errors import UsageError
from argosy.model.digest import Digest


def write(folder: Path, name: str, *, requires: tuple[str, ...] = (), more: str = "") -> Path:
    """A little recipe with one C file."""
    recipe = folder / name
    (recipe / "src").mkdir(parents=True)
    (recipe / "src/main.c").write_text("int main(void) { return 0; }\n")
    needed = ", ".join(f'"{other}"' for other in requires)
    (recipe / "recipe.toml").write_text(
        f'name = "{name}"\nversion = "1"\nlicence = "MIT"\ndescription = "d"\nmpi = false\nrequires = [{needed}]\n'
        f'[[source]]\nfolder = "src"\n[build]\nkind = "sources"\nsources = ["*.c"]\n'
        f'[[program]]\nname = "{name}"\n{more}'
    )
    return recipe


def names(folder: Path, *wanted: str) -> list[str]:
    known = recipes.load_all(folder)
    return [recipe.name for recipe in recipes.order(known, wanted or known)]


def test_what_is_required_comes_first(tmp_path: Path) -> None:
    write(tmp_path, "app", requires=("solver", "blas"))
    write(tmp_path, "solver", requires=("blas",))
    write(tmp_path, "blas")
    write(tmp_path, "other")
    assert names(tmp_path, "app") == ["blas", "solver", "app"]
    assert set(names(tmp_path)) == {"app", "blas", "other", "solver"}


def test_a_cycle_is_named_in_full(tmp_path: Path) -> None:
    write(tmp_path, "a", requires=("b",))
    write(tmp_path, "b", requires=("c",))
    write(tmp_path, "c", requires=("a",))
    with pytest.raises(UsageError, match=r"a/recipe\.toml: requires: .*: a → b → c → a"):
        recipes.load_all(tmp_path)


def test_a_requirement_that_no_recipe_meets_is_named(tmp_path: Path) -> None:
    write(tmp_path, "app", requires=("gsl-cblass",))
    write(tmp_path, "gsl-cblas")
    with pytest.raises(
        UsageError, match=r"app/recipe\.toml: requires: there is no recipe 'gsl-cblass'; did you mean 'gsl-cblas'\?"
    ):
        recipes.load_all(tmp_path)


def test_an_unknown_recipe_is_not_found_but_guessed(tmp_path: Path) -> None:
    write(tmp_path, "hello")
    with pytest.raises(UsageError, match=r"no recipe 'helo'; did you mean 'hello'\?"):
        names(tmp_path, "helo")


def test_a_recipe_has_its_folders_name(tmp_path: Path) -> None:
    write(tmp_path, "hello").rename(tmp_path / "bye")
    with pytest.raises(UsageError, match="name: 'hello' must be the name of the recipe's folder"):
        recipes.load(tmp_path / "bye")


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ('[run]\ninputs = [{ file = "in.txt" }]\n', "run.inputs: there is no 'in.txt'"),
        ('[[patch]]\nfile = "p"\nsha256 = "' + "0" * 64 + '"\n', r"patch\[0\].file: there is no 'p'"),
        ('[[test]]\nname = "t"\nexpect = [{ same_as = "o.txt" }]\n', r"test\[0\].expect\[0\].same_as: there is no"),
    ],
)
def test_a_file_that_the_recipe_names_must_be_beside_it(tmp_path: Path, more: str, key: str) -> None:
    with pytest.raises(UsageError, match=key):
        recipes.load(write(tmp_path, "hello", more=more))


def test_a_patch_with_another_digest_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "hello", more=f'[[patch]]\nfile = "p"\nsha256 = "{"0" * 64}"\n')
    (folder / "p").write_text("--- a\n")
    with pytest.raises(UsageError) as caught:
        recipes.load(folder)
    assert f"patch[0].sha256: p has {Digest.of(b'--- a' + bytes([10])).hex}, not 000" in str(caught.value)


def test_the_digest_is_of_what_is_built(tmp_path: Path) -> None:
    folder = write(tmp_path, "hello", more='[[test]]\nname = "t"\nexpect = [{ contains = "a" }]\n')
    first = recipes.digest(recipes.load(folder))
    os.utime(folder / "src/main.c", (0, 0))
    (folder / "src/main.c~").write_text("an editor's copy")
    (folder / "input.txt").write_text("for a run")
    text = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(text.replace('"a"', '"b"').replace('"d"', '"another description"'))
    assert recipes.digest(recipes.load(folder)) == first
    (folder / "recipe.toml").write_text(text.replace("[build]", '[build]\nflags = ["-DX"]'))
    assert recipes.digest(recipes.load(folder)) != first
    (folder / "recipe.toml").write_text(text)
    (folder / "src/main.c").rename(folder / "src/other.c")
    assert recipes.digest(recipes.load(folder)) != first


def test_the_digest_is_the_same_wherever_the_recipe_lies(tmp_path: Path) -> None:
    here, there = write(tmp_path / "here", "hello"), write(tmp_path / "there", "hello")
    assert recipes.digest(recipes.load(here)) == recipes.digest(recipes.load(there))

"""What a run gave is held against what its recipe expects; numbers within the tolerance."""

from __future__ import annotations

from pathlib import Path

import pytest

from argosy.model.recipe import Recipe, parse
from argosy.pipeline.execute import Ran
from argosy.pipeline.expect import complaints, shown

HEAD = """\
name = "code"
version = "1"
licence = "MIT"
description = "d"
mpi = false
[[source]]
folder = "src"
[build]
kind = "sources"
sources = ["*.c"]
[[program]]
name = "code"
[run]
show = [{ output = "out.txt", lines = "^Result" }]
[[test]]
name = "one"
"""


def recipe(folder: Path, expect: str) -> Recipe:
    return parse(f"{HEAD}expect = [{{ {expect} }}]\n", where="recipe.toml", folder=folder)


def check(tmp_path: Path, expect: str, text: str, *, status: int = 0) -> list[str]:
    found = recipe(tmp_path, expect)
    return complaints(found, found.tests[0], Ran(status=status, output=text, folder=tmp_path))


@pytest.mark.parametrize(
    ("expect", "good", "bad"),
    [
        ('contains = "PASSED"', "all PASSED", "all passed"),
        ('absent = "FAILED"', "fine", "1 FAILED"),
        ("matches = '^ok$'", "ok", "not ok"),
        ("matches = 'ok', count = 2", "ok ok", "ok ok ok"),
        ("matches = 'x=(\\S+)', value = 2.0, relative = 0.01", "x=2.01", "x=2.03"),
        ("matches = 'x=(\\S+)', value = 0.0, absolute = 1e-9", "x=-1e-10", "x=1e-8"),
        ("matches = 'x=(\\S+)', most = 1.0", "x=0.5 x=1.0", "x=0.5 x=1.5"),
        ("matches = 'x=(\\S+)', least = 1.0", "x=1.0", "x=0.9"),
        ("matches = 'x=(\\S+)', most = 1.0", "x=-inf", "x=nan"),
        ("matches = 'x=(\\S+)', value = 1.0", "x=1.0", "x=nan"),
        ("matches = 'x=(\\S+)', value = 1.0", "x=1.0", "x=none"),
    ],
)
def test_each_expectation_holds_or_complains(tmp_path: Path, expect: str, good: str, bad: str) -> None:
    assert check(tmp_path, expect, good) == []
    [complaint] = check(tmp_path, expect, bad)
    assert complaint.startswith("stdout: ")


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("t = 1.000 n=10\nend\n", True),
        ("t = 1.001   n=10\nend\n", True),
        ("time: 3 s\nt = 1.001 n=10\nend\n", True),
        ("t = 1.1 n=10\nend\n", False),
        ("t = 1.000 n=11\nend\n", False),
        ("t = 1.000 m=10\nend\n", False),
        ("t = 1.000 n=10\n", False),
        ("t = 1.000 n=10\nend\nmore\n", False),
        ("t = nan n=10\nend\n", False),
    ],
)
def test_an_output_equals_a_file_but_for_the_tolerance(tmp_path: Path, text: str, held: bool) -> None:
    (tmp_path / "wished.out").write_text("t = 1.000 n=10\ntime: 5 s\nend\n")
    found = check(tmp_path, "same_as = 'wished.out', relative = 1e-2, ignore = '^time:'", text)
    assert (found == []) is held


def test_the_exit_status_counts(tmp_path: Path) -> None:
    assert check(tmp_path, 'contains = ""', "", status=3) == ["exit status 3, not 0"]


def test_a_file_that_was_not_written_is_named_once(tmp_path: Path) -> None:
    expect = 'output = "out.txt", contains = "a" }, { output = "out.txt", contains = "b"'
    assert check(tmp_path, expect, "") == ["it wrote no out.txt"]


def test_a_link_out_of_the_runs_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("PASSED")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/out.txt").symlink_to(tmp_path / "secret")
    found = recipe(tmp_path, 'output = "out.txt", contains = "PASSED"')
    ran = Ran(status=0, output="", folder=tmp_path / "run")
    assert complaints(found, found.tests[0], ran) == ["it wrote no out.txt"]


def test_the_lines_that_a_recipe_shows_are_shown(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("Result a\nnoise\nResult b\n")
    found = recipe(tmp_path, 'contains = ""')
    assert found.run is not None
    assert shown(found.run, Ran(status=0, output="", folder=tmp_path)) == ["Result a", "Result b"]

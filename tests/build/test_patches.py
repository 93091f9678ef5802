"""Patches apply exactly where they say, or name the file and hunk that does not fit; then nothing is changed."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from argosy.build import patches
from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.recipe_source import Patch

OLD = [f"line {number}\n" for number in range(1, 41)]
NEW = [*OLD[:3], "new line\n", *OLD[3:20], *OLD[22:39], "last line, changed\n"]


def diff(old: list[str], new: list[str], name: str = "src/a.c", *, before: str = "", after: str = "") -> str:
    return "".join(difflib.unified_diff(old, new, before or f"a/{name}", after or f"b/{name}"))


def apply(tmp_path: Path, text: str, *, strip: int = 1, into: str = ".") -> None:
    (tmp_path / "fix.patch").write_bytes(text.encode("utf-8", "surrogateescape"))
    patch = Patch(file="fix.patch", digest=Digest.of(b""), strip=strip, into=into)
    patches.apply(patch, recipe_folder=tmp_path, tree=tmp_path / "tree")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tree/src/a.c"
    path.parent.mkdir(parents=True)
    path.write_text("".join(OLD))
    return path


def test_every_hunk_is_applied(tmp_path: Path, file: Path) -> None:
    file.chmod(0o755)
    apply(tmp_path, diff(OLD, NEW))
    assert file.read_text() == "".join(NEW)
    assert file.stat().st_mode & 0o777 == 0o755


def test_a_patch_can_be_for_a_folder_of_the_tree(tmp_path: Path, file: Path) -> None:
    apply(tmp_path, diff(OLD, NEW, "a.c", before="a.c", after="a.c"), strip=0, into="src")
    assert file.read_text() == "".join(NEW)


def test_files_are_created_and_removed(tmp_path: Path, file: Path) -> None:
    apply(
        tmp_path,
        diff(OLD, [], before="a/src/a.c", after="/dev/null") + diff([], ["x\n"], before="/dev/null", after="b/new/b.c"),
    )
    assert not file.exists()
    assert (tmp_path / "tree/new/b.c").read_text() == "x\n"


def test_a_last_line_without_an_end_stays_so(tmp_path: Path, file: Path) -> None:
    file.write_text("one\ntwo")
    apply(
        tmp_path,
        "--- a/src/a.c\n+++ b/src/a.c\n@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n"
        "+three\n\\ No newline at end of file\n",
    )
    assert file.read_text() == "one\nthree"


def test_bytes_that_are_no_text_survive(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b"caf\xe9\r\nold\r\n")
    apply(tmp_path, "--- a/src/a.c\n+++ b/src/a.c\n@@ -1,2 +1,2 @@\n caf\udce9\r\n-old\r\n+new\r\n")
    assert file.read_bytes() == b"caf\xe9\r\nnew\r\n"


def test_a_hunk_that_does_not_fit_is_named_and_nothing_is_changed(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "tree/src/b.c"
    other.write_text("b\n")
    text = diff(["b\n"], ["c\n"], "src/b.c") + diff(OLD, NEW)
    file.write_text("".join([*OLD[:20], "changed\n", *OLD[21:]]))
    with pytest.raises(ArgosyError) as caught:
        apply(tmp_path, text)
    assert "fix.patch does not fit the sources: src/a.c: hunk 2 (line 18)" in str(caught.value)
    assert "line 21 is 'changed', not 'line 21'" in str(caught.value)
    assert other.read_text() == "b\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (diff(OLD, NEW, "src/absent.c"), "src/absent.c: there is no such file in the sources"),
        (
            diff([], ["x\n"], before="/dev/null", after="b/src/a.c"),
            "src/a.c: it is to be created, and is there already",
        ),
        (diff(OLD, NEW, "../../etc/passwd"), "is no file of the sources"),
        ("just words\n", "changes nothing"),
        ("--- a/src/a.c\n+++ b/src/a.c\n@@ -1,9 +1,9 @@\n short\n", "is not a unified diff"),
    ],
)
def test_what_is_no_patch_for_these_sources_is_refused(tmp_path: Path, file: Path, text: str, expected: str) -> None:
    with pytest.raises(ArgosyError) as caught:
        apply(tmp_path, text)
    assert expected in str(caught.value)
    assert file.read_text() == "".join(OLD)


def test_a_link_in_the_tree_leads_no_patch_out_of_it(tmp_path: Path, file: Path) -> None:
    (tmp_path / "outside.c").write_text("".join(OLD))
    (tmp_path / "tree/src/link.c").symlink_to(tmp_path / "outside.c")
    with pytest.raises(ArgosyError, match="leads out of the sources"):
        apply(tmp_path, diff(OLD, NEW, "src/link.c"))

"""An archive is unpacked into its folder and nowhere else, or not at all."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from argosy.build.unpack import lay_out, unpack
from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.recipe_source import Archive, Beside


def tar(path: Path, *members: tuple[str, str | bytes | None]) -> Path:
    """An archive of files (bytes), links (text: where to) and a device (None)."""
    with tarfile.open(path, "w:gz") as made:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                made.addfile(member, io.BytesIO(content))
                continue
            member.type = tarfile.CHRTYPE if content is None else tarfile.SYMTYPE
            member.linkname = content or ""
            made.addfile(member)
    return path


def test_the_leading_folders_are_left_out(tmp_path: Path) -> None:
    file = tar(tmp_path / "a.tgz", ("code-1.0/README", b"read"), ("code-1.0/src/main.c", b"main"))
    unpack(file, tmp_path / "tree", strip=1)
    assert (tmp_path / "tree/src/main.c").read_bytes() == b"main"
    unpack(file, tmp_path / "whole", strip=0)
    assert (tmp_path / "whole/code-1.0/README").read_bytes() == b"read"


def test_a_zip_archive_is_unpacked_alike(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("code/src/main.c", "main")
        program = zipfile.ZipInfo("code/configure")
        program.external_attr = 0o100755 << 16
        made.writestr(program, "#!/bin/sh\n")
    unpack(tmp_path / "a.zip", tmp_path / "tree")
    assert (tmp_path / "tree/src/main.c").read_text() == "main"
    assert (tmp_path / "tree/configure").stat().st_mode & 0o111


@pytest.mark.parametrize(
    "member",
    [
        ("code/../../outside", b"x"),
        ("/etc/outside", b"x"),
        ("code/link", "/etc"),
        ("code/link", "../../outside"),
        ("code/device", None),
    ],
)
def test_what_leads_outside_is_refused(tmp_path: Path, member: tuple[str, str | bytes | None]) -> None:
    file = tar(tmp_path / "a.tgz", member)
    with pytest.raises(ArgosyError, match=r"a\.tgz is refused"):
        unpack(file, tmp_path / "deep/tree")
    assert not list(tmp_path.rglob("outside"))


def test_a_zip_archive_that_leads_outside_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("code/../../outside", "x")
    with pytest.raises(ArgosyError, match="lies outside of it"):
        unpack(tmp_path / "a.zip", tmp_path / "deep/tree")
    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("cut", [0, 1, 20])
def test_half_an_archive_is_refused(tmp_path: Path, cut: int) -> None:
    file = tar(tmp_path / "a.tgz", ("code/data", bytes(range(256)) * 100))
    file.write_bytes(file.read_bytes()[:-cut] if cut > 1 else b"no archive" * cut)
    with pytest.raises(ArgosyError, match=r"a\.tgz is not a whole tar or zip archive"):
        unpack(file, tmp_path / "tree")


def test_sources_are_laid_out_where_the_recipe_says(tmp_path: Path) -> None:
    (tmp_path / "recipe/files").mkdir(parents=True)
    (tmp_path / "recipe/files/config.h").write_text("own")
    file = tar(tmp_path / "a.tgz", ("code-1.0/config.h", b"theirs"), ("code-1.0/a.c", b"a"))
    common = {"digest": Digest.of(b""), "locations": (), "strip": 1}
    tree = tmp_path / "tree"
    for source in (
        Archive(file="a.tgz", into="code", unpack=True, **common),
        Archive(file="raw.tgz", into="data", unpack=False, **common),
        Beside(folder="files", into="code"),
    ):
        lay_out(source, file=file, recipe_folder=tmp_path / "recipe", tree=tree)
    assert (tree / "code/a.c").read_text() == "a"
    assert (tree / "code/config.h").read_text() == "own"
    assert (tree / "data/raw.tgz").read_bytes() == file.read_bytes()

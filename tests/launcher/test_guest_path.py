"""The names of files that the guest gives to MPI-IO: found in its granted folders, and nowhere else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from argosy.launcher import build, compiler

HARNESS = """
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "launch.h"
/* harness HOST GUEST (w|r) PATH (read|write): the host's path, or "refused". */
int main(int count, char **words) {
    struct folder folder = {words[1], words[2], strcmp(words[3], "w") == 0};
    struct options options = {.folders = &folder, .folder_count = 1};
    char name[NAME_MAX + 1], link[64], path[4096];
    paths_grant(&options);
    int opened = count == 6 ? guest_folder_of(words[4], strcmp(words[5], "write") == 0, name) : -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", opened);
    ssize_t length = opened < 0 ? -1 : readlink(link, path, sizeof path - 1);
    if (length < 0) {
        puts("refused");
    } else {
        printf("%.*s/%s\\n", (int)length, path, name);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harness")
    (folder / "main.c").write_text(HARNESS)
    tools = compiler.find()
    sources = [folder / "main.c", *(build.SOURCES / name for name in ("paths.c", "wasi_lookup.c"))]
    # What of wasi_lookup.c reads the guest's memory is left out: there is no guest.
    flags = ["-std=gnu11", "-D_GNU_SOURCE", f"-I{build.SOURCES}", "-ffunction-sections", "-Wl,--gc-sections"]
    subprocess.run([*tools.command, *flags, *sources, "-o", folder / "harness"], check=True)
    return folder / "harness"


@pytest.fixture
def granted(tmp_path: Path) -> Path:
    folder = tmp_path / "granted"
    (folder / "inner").mkdir(parents=True)
    (folder / "file").touch()
    (tmp_path / "secret").touch()
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to("..")
    (folder / "new-outside").symlink_to("../not-there-yet")
    (folder / "in").symlink_to("file")
    return folder


@pytest.mark.parametrize(
    ("guest", "path", "found"),
    [
        (".", "file", "file"),
        (".", "./file", "file"),
        (".", "new", "new"),
        (".", "inner/new", "inner/new"),
        (".", "inner/../file", "file"),
        (".", "in", "file"),
        ("/data", "/data/file", "file"),
        ("/data", "data/file", "file"),
        ("/data/", "/data//inner/new", "inner/new"),
        (".", "../secret", None),
        (".", "inner/../../secret", None),
        (".", "out", None),
        (".", "up/secret", None),
        (".", "new-outside", None),
        (".", "nowhere/new", None),
        (".", ".", None),
        (".", "inner/..", None),
        ("/data", "/database/file", None),
        ("/data", "file", None),
        ("/data", "/data", None),
    ],
)
def test_only_what_lies_in_the_folder_is_found(
    harness: Path, granted: Path, guest: str, path: str, found: str | None
) -> None:
    seen = subprocess.run([harness, granted, guest, "w", path, "write"], capture_output=True, text=True).stdout.strip()
    assert seen == ("refused" if found is None else str(granted / found))


def test_a_read_only_folder_gives_no_name_to_write_to(harness: Path, granted: Path) -> None:
    seen = [
        subprocess.run([harness, granted, ".", "r", "file", how], capture_output=True, text=True).stdout.strip()
        for how in ("read", "write")
    ]
    assert seen == [str(granted / "file"), "refused"]

"""The launcher's own WASI: programs see files as they do natively, and only those that were granted."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import guests
import pytest

from argosy.build import toolchain
from argosy.launcher import build, compiler

GUEST = Path(__file__).with_name("wasi_guest.c")
FLAGS = ["-O1", "-w"]
WASI = "wasi_snapshot_preview1"


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program, compiled for wasm and precompiled."""
    return compile_c(GUEST, tmp_path_factory.mktemp("guest"))


def compile_c(source: Path, folder: Path) -> Path:
    tools = toolchain.find()
    wasm = folder / "guest.wasm"
    target = [f"--target={toolchain.TARGET}", f"--sysroot={tools.sysroot}", "--no-wasm-opt"]
    done = subprocess.run([tools.tool("clang"), *target, *FLAGS, source, "-o", wasm], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return guests.code(folder, wasm.read_bytes())


@pytest.fixture(scope="module", params=["openat2", "walk"])
def launch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A launcher whose paths the kernel looks up, and one that must do it as on older kernels."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "walk":
            patch.setenv("CC", " ".join([*compiler.find().command, "-DARGOSY_WITHOUT_OPENAT2"]))
        patch.setenv("ARGOSY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return build.launcher(None)


def run(command: list[str | Path], folder: Path) -> str:
    folder.mkdir()
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        input="typed",
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "GIVEN": "value"},
    )
    assert (done.returncode, done.stderr) == (17, "")
    return done.stdout


def test_a_program_sees_what_it_sees_natively(launch: Path, guest: Path, tmp_path: Path) -> None:
    tools = compiler.find()
    subprocess.run([*tools.command, *FLAGS, GUEST, "-o", tmp_path / "native"], check=True)
    native = run([tmp_path / "native", "argument"], tmp_path / "natively")
    options = ["--dir", ".", "--env", "GIVEN"]
    assert run([launch, *options, guest, "argument"], tmp_path / "guest").splitlines() == native.splitlines()
    left = [sorted(path.name for path in (tmp_path / run).iterdir()) for run in ("guest", "natively")]
    assert left[0] == left[1]


ESCAPES = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static const char *path;
static void attempt(const char *what, int result) { if (result >= 0) printf("%s of %s succeeded\n", what, path); }
int main(int count, char **paths) {
    struct stat status;
    for (int i = 1; i < count; i++) {
        path = paths[i];
#ifndef READ_ONLY
        attempt("open", open(paths[i], O_RDONLY));
        attempt("stat", stat(paths[i], &status));
#endif
        attempt("create", open(paths[i], O_WRONLY | O_CREAT, 0600));
        attempt("mkdir", mkdir(paths[i], 0700));
        attempt("unlink", unlink(paths[i]));
        attempt("rmdir", rmdir(paths[i]));
        attempt("rename away", rename(paths[i], "taken"));
        attempt("rename onto", rename("inside", paths[i]));
        attempt("link", link(paths[i], "linked"));
        attempt("symlink", symlink("inside", paths[i]));
    }
    attempt("absolute symlink", symlink("/etc/passwd", "new-link"));
    puts("done");
    return 0;
}
"""


def test_no_path_leads_out_of_a_granted_folder(launch: Path, tmp_path: Path) -> None:
    source = tmp_path / "escapes.c"
    source.write_text(ESCAPES)
    program = compile_c(source, tmp_path)
    granted, outside = tmp_path / "granted", tmp_path / "outside"
    (granted / "deep" / "deeper").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (outside / "folder").mkdir()
    (granted / "inside").write_text("inside")
    for name, target in {
        "up": "..",
        "absolute": str(outside),
        "relative": "../outside",
        "file": "../outside/secret",
        "deep/chain": "../relative",
        "deep/deeper/out": "../../../outside",
        "proc": "/proc/self/cwd",
    }.items():
        (granted / name).symlink_to(target)
    ways = ["..", "../outside", str(outside), "up/outside", "absolute", "relative", "deep/chain", "deep/../../outside"]
    ways += ["deep/deeper/out", "deep/deeper/../../../outside", "./../outside", "deep/./deeper/.././../../outside"]
    paths = [f"{way}/{name}" for way in ways for name in ("secret", "folder", "new")] + [
        "file/.",
        "proc/x",
    ]
    before = sorted(outside.rglob("*"))
    done = guests.start([launch, "--dir", f"{granted}::.", program, *paths])
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert sorted(outside.rglob("*")) == before
    assert (outside / "secret").read_text() == "secret"
    assert (granted / "inside").read_text() == "inside"


RACE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    char byte;
    int escaped = 0, opened = 0;
    for (int i = 0; i < 20000; i++) {
        int file = open("a/b/../../a/b/file", O_RDONLY);
        if (file >= 0) { opened++; if (read(file, &byte, 1) == 1 && byte != 'i') escaped++; close(file); }
    }
    printf("%s %d\n", opened > 0 ? "opened" : "never", escaped);
    return 0;
}
"""


def test_renaming_meanwhile_leads_nobody_out(launch: Path, tmp_path: Path) -> None:
    source = tmp_path / "race.c"
    source.write_text(RACE)
    program = compile_c(source, tmp_path)
    granted = tmp_path / "outer" / "granted"
    (granted / "a" / "b").mkdir(parents=True)
    (granted / "a" / "b" / "file").write_text("inside")
    for decoy in (tmp_path / "outer" / "a" / "b", tmp_path / "a" / "b"):
        decoy.mkdir(parents=True)
        (decoy / "file").write_text("outside")
    stop = threading.Event()

    def shuffle() -> None:
        while not stop.is_set():
            (granted / "a" / "b").rename(granted / "b")
            (granted / "b").rename(granted / "a" / "b")

    shuffler = threading.Thread(target=shuffle)
    shuffler.start()
    try:
        done = guests.start([launch, "--dir", f"{granted}::.", program], timeout=120)
    finally:
        stop.set()
        shuffler.join()
    assert done.stdout == "opened 0\n", done.stderr


def test_a_read_only_folder_is_never_changed(launch: Path, tmp_path: Path) -> None:
    source = tmp_path / "escapes.c"
    source.write_text("#define READ_ONLY\n" + ESCAPES)
    program = compile_c(source, tmp_path)
    granted = tmp_path / "granted"
    (granted / "folder").mkdir(parents=True)
    (granted / "inside").write_text("inside")
    before = sorted(granted.rglob("*"))
    done = guests.start([launch, "--read-only", f"{granted}::.", program, "inside", "folder", "folder/new", "new"])
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert sorted(granted.rglob("*")) == before
    assert (granted / "inside").read_text() == "inside"


WILD = """
(func (export "_start")
  {calls}
  (call $digit (i32.const 1)))
"""


def test_addresses_outside_memory_are_refused(launch: Path, tmp_path: Path) -> None:
    """Every function with pointers, called with wild ones: an error number each, no crash, nothing written."""
    wild = ["(i32.const 0xfffffffc)", "(i32.const 0x7fffffff)", "(i32.const 65533)", "(i32.const -1)"]
    calls = []
    for name, signature in SIGNATURES.items():
        for value in wild:
            arguments = []
            for place, letter in enumerate(signature):
                if letter == "I":
                    arguments.append("(i64.const 1)")
                else:
                    first_is_a_file = place == 0 and not name.startswith(
                        ("args", "environ", "random", "poll", "path_symlink")
                    )
                    arguments.append("(i32.const 3)" if first_is_a_file else value)
            calls.append(f"(drop (call $wild_{name} {' '.join(arguments)}))")
    types = {"i": "i32", "I": "i64"}
    imports = ""
    for name, signature in SIGNATURES.items():
        parameters = " ".join(types[letter] for letter in signature)
        imports += f'(import "{WASI}" "{name}" (func $wild_{name} (param {parameters}) (result i32)))'
    body = WILD.format(calls="\n".join(calls))
    program = guests.code(tmp_path, guests.module(body, extra_imports=imports))
    (tmp_path / "data").mkdir()
    done = guests.start([launch, "--dir", tmp_path / "data", program, "argument"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert list((tmp_path / "data").iterdir()) == []


SIGNATURES = {
    "args_get": "ii",
    "args_sizes_get": "ii",
    "environ_sizes_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "random_get": "ii",
    "fd_fdstat_get": "ii",
    "fd_filestat_get": "ii",
    "fd_pread": "iiiIi",
    "fd_prestat_dir_name": "iii",
    "fd_prestat_get": "ii",
    "fd_pwrite": "iiiIi",
    "fd_read": "iiii",
    "fd_readdir": "iiiIi",
    "fd_seek": "iIii",
    "fd_tell": "ii",
    "path_create_directory": "iii",
    "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi",
    "path_link": "iiiiiii",
    "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii",
    "path_remove_directory": "iii",
    "path_rename": "iiiiii",
    "path_symlink": "iiiii",
    "path_unlink_file": "iii",
    "poll_oneoff": "iiii",
}


def test_a_closed_stream_is_not_given_to_another_file(launch: Path, tmp_path: Path) -> None:
    program = guests.code(tmp_path, guests.say("lost\n", status=5))
    done = guests.start(["sh", "-c", f"'{launch}' --dir '{tmp_path}' '{program}' >&-"])
    assert (done.returncode, done.stdout) == (5, "")

"""The AOT cache: one compilation per key, and nothing loaded that someone else could have made."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import guests
import pytest

from argosy import files
from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.site import aot_folder, engine
from argosy.site.aot_cache import Entry
from argosy.site.precompile import precompile

ASK = """
import sys
from pathlib import Path
from argosy import files
from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.site.precompile import precompile
try:
    entry = precompile(Path(sys.argv[1]), Digest.parse(sys.argv[2]), "fast")
except ArgosyError as error:
    sys.exit(str(error))
print("compiled" if entry.compiled else "found", entry.path)
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wasm(tmp_path: Path) -> tuple[Path, Digest]:
    return guests.put(tmp_path, guests.say("hello\n"))


def asking(wasm: tuple[Path, Digest], prepare: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """Another process that asks for the module's code."""
    return subprocess.Popen(
        [sys.executable, "-c", ASK, *map(str, wasm)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )


def note_of(entry: Entry) -> Path:
    return entry.path.with_suffix(".json")


def test_sixteen_processes_that_ask_at_once_compile_once(wasm: tuple[Path, Digest]) -> None:
    outputs = [child.communicate(timeout=120)[0].split() for child in [asking(wasm) for _ in range(16)]]
    assert sorted(words[0] for words in outputs) == ["compiled"] + ["found"] * 15
    assert len({words[1] for words in outputs}) == 1


def test_the_second_time_nothing_is_compiled(wasm: tuple[Path, Digest]) -> None:
    first, second = precompile(*wasm, "fast"), precompile(*wasm, "fast")
    assert (first.compiled, second.compiled) == (True, False)
    assert (first.path, first.imports) == (second.path, second.imports)
    assert "wasi_snapshot_preview1.fd_write" in first.imports


def test_other_numerics_are_another_entry(wasm: tuple[Path, Digest]) -> None:
    assert precompile(*wasm, "fast").path != precompile(*wasm, "exact").path


def test_another_wasmtime_finds_no_entry(wasm: tuple[Path, Digest], monkeypatch: pytest.MonkeyPatch) -> None:
    before = precompile(*wasm, "fast")
    monkeypatch.setattr(engine, "wasmtime_version", lambda: "50.0.2")
    assert precompile(*wasm, "fast").path != before.path


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def foreign_machine(path: Path) -> None:
    """The same file as code for another machine, with a note that agrees."""
    data = bytearray(path.read_bytes())
    place = data.index(b"x86_64-unknown" if b"x86_64-unknown" in data else b"aarch64-unknown")
    data[place] ^= 2
    rewrite_with_note(path, bytes(data))


def other_engine(path: Path) -> None:
    data = path.read_bytes()
    rewrite_with_note(
        path, data.replace(b"\0\x0250\x18", b"\0\x0249\x18", 1).replace(b"\0\x0250\x19", b"\0\x0249\x19", 1)
    )


def no_elf(path: Path) -> None:
    rewrite_with_note(path, b"\x7fELF but not much more")


def rewrite_with_note(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    note = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(note | {"sha256": Digest.of(data).hex}))


def become_symlink(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (flip_a_bit, "digest"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "digest"),
        (lambda path: path.write_bytes(b""), "digest"),
        (lambda path: path.chmod(0o666), "others can write"),
        (lambda path: path.with_suffix(".json").chmod(0o664), "others can write"),
        (lambda path: path.parent.chmod(0o777), "others can write"),
        (become_symlink, "symbolic link"),
        (foreign_machine, "another CPU"),
        (other_engine, "wasmtime 49"),
        (no_elf, "precompiled module"),
        (lambda path: path.with_suffix(".json").write_text("{"), "cannot be read"),
        (lambda path: path.with_suffix(".json").write_text("[1]"), "cannot be read"),
        (lambda path: path.with_suffix(".json").unlink(), "has no note: nothing says that it was compiled here"),
        (lambda path: path.unlink(), ""),
    ],
    ids=[
        "bit",
        "truncated",
        "empty",
        "writable code",
        "writable note",
        "writable folder",
        "symlink",
        "machine",
        "engine",
        "not ELF",
        "broken note",
        "strange note",
        "no note",
        "no code",
    ],
)
def test_an_entry_that_is_not_right_is_refused_and_made_again(
    wasm: tuple[Path, Digest], change: Callable[[Path], object], reason: str
) -> None:
    first = precompile(*wasm, "fast")
    whole = first.path.read_bytes()
    change(first.path)
    again = precompile(*wasm, "fast")
    assert again.compiled
    assert reason in again.refused
    assert again.path.read_bytes() == whole
    for path in (again.path, note_of(again), again.path.parent):
        assert path.lstat().st_mode & 0o022 == 0
    assert not precompile(*wasm, "fast").compiled


def identity(path: Path) -> tuple[int, int]:
    """Which file it is; a number alone is given again to the next one made."""
    return path.stat().st_ino, path.stat().st_ctime_ns


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `path` another user's; where only root could, let its status say so."""
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        return
    given, real = identity(path), files.distrust

    def distrust(status: os.stat_result) -> str:
        is_given = (status.st_ino, status.st_ctime_ns) == given
        return real(os.stat_result((*status[:4], 12345, *status[5:])) if is_given else status)

    monkeypatch.setattr(aot_folder, "distrust", distrust)


def test_an_entry_of_another_user_is_refused(wasm: tuple[Path, Digest], monkeypatch: pytest.MonkeyPatch) -> None:
    first = precompile(*wasm, "fast")
    given = identity(first.path)
    give_away(first.path, monkeypatch)
    again = precompile(*wasm, "fast")
    assert again.compiled
    assert "belongs to user 12345" in again.refused
    assert identity(again.path) != given
    given = identity(again.path.parent)
    give_away(again.path.parent, monkeypatch)
    once_more = precompile(*wasm, "fast")
    assert once_more.compiled
    assert "belongs to user 12345" in once_more.refused
    assert identity(once_more.path.parent) != given


def test_a_cache_of_another_user_is_not_used(
    wasm: tuple[Path, Digest], monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    (own_cache / "aot").mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(own_cache / "aot", 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(ArgosyError, match="belongs to user") as error:
        precompile(*wasm, "fast")
    assert "$ARGOSY_CACHE" in error.value.advice


def test_a_group_friendly_umask_does_not_open_the_cache(wasm: tuple[Path, Digest]) -> None:
    before = os.umask(0o002)
    try:
        entry = precompile(*wasm, "fast")
    finally:
        os.umask(before)
    assert entry.path.parent.stat().st_mode & 0o022 == 0
    assert not precompile(*wasm, "fast").compiled


def test_a_full_disk_is_said_and_leaves_no_entry(wasm: tuple[Path, Digest]) -> None:
    # A limit on the size of files fails a write as a full disk does, and needs no disk to fill.
    child = asking(wasm, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
    output, errors = child.communicate(timeout=60)
    assert (child.returncode, output) == (1, "")
    assert "cannot write" in errors
    assert "free some space" in errors
    assert not list(aot_folder.own().rglob("*.cwasm"))
    assert [path for path in aot_folder.own().rglob("*") if path.is_file() and path.stat().st_size] == []
    assert precompile(*wasm, "fast").compiled


def test_no_permission_on_the_cache_is_said(
    wasm: tuple[Path, Digest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("where a folder should be")
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ArgosyError, match="cannot use the AOT cache") as error:
        precompile(*wasm, "fast")
    assert "$ARGOSY_CACHE" in error.value.advice
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "locked"))
        with pytest.raises(ArgosyError, match="Permission denied"):
            precompile(*wasm, "fast")


def test_bytes_that_differ_from_the_digest_are_not_compiled(wasm: tuple[Path, Digest]) -> None:
    path, digest = wasm
    path.write_bytes(guests.say("another module\n"))
    with pytest.raises(ArgosyError, match=str(digest)):
        precompile(path, digest, "fast")
    assert not list(aot_folder.own().rglob("*.cwasm"))


def test_what_is_not_wasm_is_said(tmp_path: Path) -> None:
    path = tmp_path / "text.wasm"
    path.write_text("not a module")
    with pytest.raises(ArgosyError, match="cannot compile"):
        precompile(path, Digest.of(path.read_bytes()), "fast")


def test_exact_numerics_refuse_relaxed_simd(tmp_path: Path) -> None:
    relaxed = guests.module(
        """
        (func (export "_start")
          (drop (f32x4.relaxed_madd (v128.const i32x4 0 0 0 0) (v128.const i32x4 0 0 0 0) (v128.const i32x4 0 0 0 0))))
        """
    )
    path, digest = guests.put(tmp_path, relaxed)
    assert precompile(path, digest, "fast").compiled
    with pytest.raises(ArgosyError, match="exact numerics") as error:
        precompile(path, digest, "exact")
    assert "relaxed" in error.value.advice

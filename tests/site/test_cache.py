"""Looking after the AOT cache: room, what is in use, kills at any instant, the site's cache, export and import."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import cache_kills
import guests
import pytest

from argosy.errors import ArgosyError
from argosy.launcher import build
from argosy.model.digest import Digest
from argosy.sign.keys import PrivateKey, generate, load_private
from argosy.site import aot_folder, cache_contents, cache_limit, cache_transfer, cpu
from argosy.site.aot_cache import Entry
from argosy.site.precompile import for_this_cpu, precompile
from argosy.tar import tarfile

HOUR = 3600.0


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ARGOSY_SITE_CACHE", "")


@pytest.fixture
def key(tmp_path: Path) -> PrivateKey:
    generate(tmp_path / "admin.key")
    return load_private(tmp_path / "admin.key")


def compiled(folder: Path, text: str, *, age: float = HOUR) -> Entry:
    """A module's code in the cache, last used so many seconds ago."""
    entry = precompile(*guests.put(folder, guests.say(text)), "fast")
    last_used(entry, age)
    return entry


def last_used(entry: Entry, age: float) -> None:
    when = time.time() - age
    os.utime(entry.path.with_suffix(".json"), (when, when))


def size_of(*entries: Entry) -> int:
    return sum(e.path.stat().st_size + e.path.with_suffix(".json").stat().st_size for e in entries)


# --- room -----------------------------------------------------------------------------------------------------------


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    old, middle, new = (compiled(tmp_path, text, age=age) for text, age in (("a", 9e4), ("b", 8e4), ("c", 7e4)))
    done = cache_limit.clean(aot_folder.own(), limit=size_of(middle, new))
    assert [one.code for one, _ in done.removed] == [old.path]
    assert not old.path.exists() and middle.path.exists() and new.path.exists()
    assert done.left == size_of(middle, new)


def test_using_an_entry_makes_it_the_last_to_go(tmp_path: Path) -> None:
    wasm = guests.put(tmp_path, guests.say("a"))
    first = precompile(*wasm, "fast")
    last_used(first, 9e4)
    second = compiled(tmp_path, "b", age=8e4)
    assert not for_this_cpu(*wasm, "fast").compiled
    cache_limit.clean(aot_folder.own(), limit=size_of(first))
    assert first.path.exists() and not second.path.exists()


def test_what_was_used_a_moment_ago_stays_even_over_the_limit(tmp_path: Path) -> None:
    entry = compiled(tmp_path, "a", age=5)
    done = cache_limit.clean(aot_folder.own(), limit=0)
    assert entry.path.exists() and [one.code for one in done.in_use] == [entry.path]


def test_a_clock_that_went_back_removes_nothing_that_was_used(tmp_path: Path) -> None:
    entry = compiled(tmp_path, "a", age=-30 * HOUR)
    cache_limit.clean(aot_folder.own(), limit=0)
    assert entry.path.exists() and not for_this_cpu(*guests.put(tmp_path, guests.say("a")), "fast").compiled


def test_what_a_launcher_runs_is_never_removed(tmp_path: Path) -> None:
    """The guest waits for its standard input; meanwhile there is no room at all."""
    body = """
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 1))
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
        (call $write (i32.const 64) (i32.const 1)))
    """
    entry = precompile(*guests.put(tmp_path, guests.module(body)), "fast")
    last_used(entry, 9e4)
    with subprocess.Popen(
        [build.launcher(None), entry.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None and program.stdout is not None
        wait_until_locked(entry.path)
        done = cache_limit.clean(aot_folder.own(), limit=0)
        assert entry.path.exists() and [one.code for one in done.in_use] == [entry.path]
        program.stdin.write("x")
        program.stdin.close()
        assert program.stdout.read() == "x"
    cache_limit.clean(aot_folder.own(), limit=0)
    assert not entry.path.exists()


def wait_until_locked(path: Path) -> None:
    for _ in range(1000):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        time.sleep(0.01)
    raise AssertionError("the launcher took no lock")


def test_a_limit_makes_room_after_each_compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [compiled(tmp_path, f"module {number}", age=9e4 - number) for number in range(3)]
    monkeypatch.setenv("ARGOSY_CACHE_LIMIT", str(size_of(*entries)))
    new = compiled(tmp_path, "one more", age=0)
    assert new.path.exists() and not entries[0].path.exists() and entries[2].path.exists()


def test_broken_entries_and_what_killed_processes_left_are_removed(tmp_path: Path) -> None:
    good, bad, half = (compiled(tmp_path, text) for text in "abc")
    bad.path.with_suffix(".json").write_text("{")
    half.path.with_suffix(".json").unlink()
    left = good.path.with_name(f".{good.path.name}.x7gh")
    left.write_bytes(b"half")
    os.utime(left, (1e9, 1e9))
    dry = cache_limit.clean(aot_folder.own(), dry_run=True)
    assert left.exists() and half.path.exists() and len(dry.removed) == 2
    cache_limit.clean(aot_folder.own())
    assert not left.exists() and not bad.path.exists() and not half.path.exists() and good.path.exists()


def test_the_folder_of_a_module_without_code_goes_too(tmp_path: Path) -> None:
    entry = compiled(tmp_path, "a")
    cache_limit.clean(aot_folder.own(), limit=0)
    os.utime(entry.path.parent, (1e9, 1e9))
    cache_limit.clean(aot_folder.own())
    assert not entry.path.parent.exists()
    assert compiled(tmp_path, "a").compiled


def test_verification_reads_every_byte(tmp_path: Path) -> None:
    entry = compiled(tmp_path, "a")
    data = bytearray(entry.path.read_bytes())
    data[-1] ^= 1
    entry.path.write_bytes(data)
    assert [one.problem for one in cache_contents.contents(aot_folder.own())] == [""]
    (found,) = cache_contents.contents(aot_folder.own(), thorough=True)
    assert "digest" in found.problem


def test_an_entry_of_another_wasmtime_is_kept_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from argosy.site import engine

    entry = compiled(tmp_path, "a")
    monkeypatch.setattr(engine, "wasmtime_version", lambda: "51.0.0")
    assert compiled(tmp_path, "a").path != entry.path  # an upgrade
    cache_limit.clean(aot_folder.own())
    monkeypatch.undo()
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    again = precompile(*guests.put(tmp_path, guests.say("a")), "fast")  # and back
    assert (again.path, again.compiled) == (entry.path, False)


# --- many at once, and ends at any instant --------------------------------------------------------------------------


def test_64_processes_that_ask_for_a_cold_key_compile_it_once(tmp_path: Path) -> None:
    path, digest = guests.put(tmp_path, guests.say("hello\n"))
    code = (
        "import sys; from pathlib import Path; from argosy.model.digest import Digest;"
        "from argosy.site.precompile import for_this_cpu;"
        "entry = for_this_cpu(Path(sys.argv[1]), Digest.parse(sys.argv[2]), 'fast'); print(entry.compiled, entry.path)"
    )
    command = [sys.executable, "-c", code, str(path), str(digest)]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(64)]
    answers = [child.communicate(timeout=300)[0].split() for child in asking]
    assert sorted(words[0] for words in answers) == ["False"] * 63 + ["True"]
    launcher = build.launcher(None)
    running = [subprocess.Popen([launcher, words[1]], stdout=subprocess.PIPE, text=True) for words in answers]
    assert {program.communicate(timeout=300)[0] for program in running} == {"hello\n"}


def test_kills_at_any_instant_leave_nothing_wrong(tmp_path: Path) -> None:
    """cache_kills.py does it five hundred times."""
    cache_kills.prepare(tmp_path)
    assert sum(cache_kills.campaign(tmp_path, 30, seed=os.getpid()).values()) == 30


def test_a_file_system_without_locks_serves_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    entry = compiled(tmp_path, "a", age=HOUR)
    cache_limit.clean(aot_folder.own(), limit=0)
    assert entry.path.exists()  # who uses it cannot be known
    last_used(entry, 30 * HOUR)
    cache_limit.clean(aot_folder.own(), limit=0)
    assert not entry.path.exists()


# --- the site's cache -----------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site's cache that an administrator has filled with the code of "site" and users cannot write."""
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "site"))
    compiled(tmp_path, "site")
    for path in (tmp_path / "site").rglob("*"):
        path.chmod(path.stat().st_mode & 0o555)
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ARGOSY_SITE_CACHE", str(tmp_path / "site"))
    return tmp_path / "site"


def test_what_the_site_has_compiled_is_not_compiled_again(tmp_path: Path, site: Path) -> None:
    wasm = guests.put(tmp_path, guests.say("site"))
    for entry in (for_this_cpu(*wasm, "fast"), precompile(*wasm, "fast")):
        assert not entry.compiled and entry.path.is_relative_to(site)
    assert guests.start([build.launcher(None), entry.path]).stdout == "site"
    assert not (tmp_path / "cache/aot").exists()


def test_what_the_site_does_not_have_is_compiled_into_the_users_cache(tmp_path: Path, site: Path) -> None:
    entry = for_this_cpu(*guests.put(tmp_path, guests.say("own")), "fast")
    assert entry.compiled and entry.path.is_relative_to(tmp_path / "cache")


def test_a_site_entry_that_others_can_write_is_not_used(tmp_path: Path, site: Path) -> None:
    code = next(site.rglob("*.cwasm"))
    code.chmod(0o666)
    entry = for_this_cpu(*guests.put(tmp_path, guests.say("site")), "fast")
    assert entry.compiled and entry.path.is_relative_to(tmp_path / "cache")


def test_a_site_cache_of_another_user_is_not_used(tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert aot_folder.is_there(next((site / "aot").glob("[0-9a-f]*"))) is (site.stat().st_uid == 0)
    if site.stat().st_uid != 0:
        assert cache_contents.contents(site / "aot")[0].problem


# --- export and import ----------------------------------------------------------------------------------------------


def exported(folder: Path, key: PrivateKey) -> Path:
    cache_transfer.export(cache_contents.contents(aot_folder.own()), folder / "nodes.tar", key)
    return folder / "nodes.tar"


def test_an_export_serves_another_machine(tmp_path: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(tmp_path, "a")
    compiled(tmp_path, "b")
    archive = exported(tmp_path, key)
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "elsewhere"))
    assert [entry.compiled for entry in cache_transfer.import_from(archive, key.public)] == [True, True]
    entry = for_this_cpu(*guests.put(tmp_path, guests.say("a")), "fast")
    assert not entry.compiled and entry.path.is_relative_to(tmp_path / "elsewhere")
    assert guests.start([build.launcher(None), entry.path]).stdout == "a"
    assert [entry.compiled for entry in cache_transfer.import_from(archive, key.public)] == [False, False]


def test_another_keys_export_is_refused_before_its_code_is_read(
    tmp_path: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled(tmp_path, "a")
    archive = exported(tmp_path, key)
    generate(tmp_path / "stranger.key")
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(ArgosyError, match="not signed by the key"):
        cache_transfer.import_from(archive, load_private(tmp_path / "stranger.key").public)
    assert not (tmp_path / "elsewhere").exists()


def members(path: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]


def rewrite(path: Path, contents: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, mode="w") as archive:
        for name, data in contents:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("harm", ["note", "code", "signature", "renamed", "escaping", "missing", "cut", "no tar"])
def test_a_harmed_export_brings_nothing_in(
    tmp_path: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    compiled(tmp_path, "a")
    path = exported(tmp_path, key)
    (notes, text), (signature, bytes_), (name, code) = members(path)
    harmed = {
        "note": [(notes, text.replace(b'"fast"', b'"slow"')), (signature, bytes_), (name, code)],
        "code": [(notes, text), (signature, bytes_), (name, code[:-1] + bytes([code[-1] ^ 1]))],
        "signature": [(notes, text), (signature, b"AAAA"), (name, code)],
        "renamed": [(notes, text), (signature, bytes_), ("other", code)],
        "escaping": [(notes, text), (signature, bytes_), ("../../evil.cwasm", code)],
        "missing": [(notes, text), (signature, bytes_)],
    }
    if harm in harmed:
        rewrite(path, harmed[harm])
    else:
        path.write_bytes(path.read_bytes()[: len(code) // 2] if harm == "cut" else b"nothing of the kind" * 100)
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(ArgosyError):
        cache_transfer.import_from(path, key.public)
    assert not list((tmp_path / "elsewhere").rglob("*.cwasm"))
    assert not list(tmp_path.rglob("evil*"))


def test_signed_code_that_is_for_another_target_than_its_note_says_is_refused(
    tmp_path: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may export may still be wrong."""
    entry = compiled(tmp_path, "a")
    note = entry.path.with_suffix(".json")
    features = sorted(cpu.host().features)
    note.write_text(note.read_text().replace(f'"{features[0]}"', '"has_warp_drive"'))
    (one,) = cache_contents.contents(aot_folder.own())
    import dataclasses

    path = tmp_path / "nodes.tar"
    cache_transfer.export([dataclasses.replace(one, problem="")], path, key)
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(ArgosyError, match="another CPU"):
        cache_transfer.import_from(path, key.public)


def test_a_broken_entry_is_not_exported(tmp_path: Path, key: PrivateKey) -> None:
    entry = compiled(tmp_path, "a")
    entry.path.write_bytes(entry.path.read_bytes()[:-1])
    with pytest.raises(ArgosyError, match="not what was compiled"):
        exported(tmp_path, key)
    assert not (tmp_path / "nodes.tar").exists()


def test_an_export_of_another_wasmtime_is_refused(
    tmp_path: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    from argosy.site import engine

    compiled(tmp_path, "a")
    path = exported(tmp_path, key)
    monkeypatch.setattr(engine, "wasmtime_version", lambda: "51.0.0")
    with pytest.raises(ArgosyError, match=r"wasmtime 50.* and here is 51\.0\.0"):
        cache_transfer.import_from(path, key.public)


def test_digests_in_an_export_are_the_modules(tmp_path: Path, key: PrivateKey) -> None:
    entry = compiled(tmp_path, "a")
    names = [name for name, _ in members(exported(tmp_path, key))]
    assert names == ["argosy-cache.json", "argosy-cache.sig", Digest.of(entry.path.read_bytes()).hex]

"""The launcher is built once, whole, by whichever compiler the node has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import guests
import pytest

from argosy.errors import ArgosyError
from argosy.launcher import build, compiler


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_processes_that_ask_at_once_get_one_build(tmp_path: Path) -> None:
    log = tmp_path / "compilations"
    cc = tmp_path / "cc"
    cc.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {" ".join(compiler.find().command)} "$@"\n')
    cc.chmod(0o755)
    ask = "from argosy.launcher.build import launcher; print(launcher(None))"
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ask], stdout=subprocess.PIPE, text=True, env={**os.environ, "CC": str(cc)}
        )
        for _ in range(4)
    ]
    answers = {child.communicate(timeout=120)[0] for child in asking}
    assert len(answers) == 1
    assert sum("-rdynamic" in line for line in log.read_text().splitlines()) == 1
    assert os.access(answers.pop().strip(), os.X_OK)


def test_a_node_without_a_compiler_builds_with_zig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ziglang", reason="needs ziglang: pip install 'argosy[node]'")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    executable = build.launcher(None)
    done = guests.start([executable, guests.code(tmp_path, guests.say("by zig\n"))])
    assert (done.returncode, done.stdout) == (0, "by zig\n")


def test_no_compiler_at_all_is_said_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler, "_zig", lambda: None)
    with pytest.raises(ArgosyError, match="no C compiler") as error:
        build.launcher(None)
    assert "ziglang" in error.value.advice


def test_a_compiler_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    cc = tmp_path / "cc"
    cc.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
    cc.chmod(0o755)
    monkeypatch.setenv("CC", str(cc))
    with pytest.raises(ArgosyError, match="it is broken"):
        build.launcher(None)
    assert [path for path in (own_cache / "launchers").iterdir() if path.is_dir()] == []


def test_a_launcher_that_others_could_write_is_built_again(own_cache: Path) -> None:
    executable = build.launcher(None)
    executable.write_bytes(b"not a launcher")
    executable.parent.chmod(0o777)
    again = build.launcher(None)
    assert again == executable
    assert guests.start([again, "--help"]).returncode == 0
    assert again.parent.stat().st_mode & 0o022 == 0

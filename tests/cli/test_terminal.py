"""Passphrases and passwords are asked for on a terminal, unseen; without an answer the user reads what else to do."""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path

import pytest

from argosy.errors import ArgosyError
from argosy.sign.keys import load_private

END_OF_INPUT = b"\x04"  # Ctrl-D


def at_a_terminal(arguments: list[str], dialogue: list[tuple[bytes, bytes]]) -> tuple[int, str]:
    """Run argosy on a terminal of its own, answer each question when it comes: exit status, and all that was shown."""
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.environ.pop("ARGOSY_KEY_PASSWORD", None)
            os.execv(sys.executable, [sys.executable, "-m", "argosy.cli", *arguments])
        finally:
            os._exit(127)
    shown = b""

    def read() -> bytes:
        try:
            return os.read(terminal, 4096)
        except OSError:  # the child has closed its side
            return b""

    for question, answer in dialogue:
        while question not in shown:
            piece = read()
            assert piece, f"{question!r} was not asked: {shown!r}"
            shown += piece
        os.write(terminal, answer)
    while piece := read():
        shown += piece
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


def test_a_passphrase_is_asked_twice_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "mate.key"
    asked = [(b"new key: ", b"cargo\n"), (b"again: ", b"cargo\n")]
    status, shown = at_a_terminal(["keys", "generate", "--passphrase", str(key)], asked)
    assert status == 0, shown
    assert "cargo" not in shown
    monkeypatch.setenv("ARGOSY_KEY_PASSWORD", "cargo")
    load_private(key)
    status, shown = at_a_terminal(["keys", "show", str(key)], [(b"mate.key: ", b"wrong\n")])
    assert status == ArgosyError.status
    assert "passphrase" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("arguments", "question", "advice"),
    [
        (["keys", "generate", "--passphrase", "mate.key"], b"new key: ", "$ARGOSY_KEY_PASSWORD"),
        (["login", "127.0.0.1:1"], b"user name at 127.0.0.1:1: ", "--password-stdin"),
        (["login", "--user", "ann", "127.0.0.1:1"], b"password of ann at 127.0.0.1:1: ", "--password-stdin"),
    ],
)
def test_no_answer_is_an_error_with_advice(
    arguments: list[str], question: bytes, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, shown = at_a_terminal(arguments, [(question, END_OF_INPUT)])
    assert status == ArgosyError.status
    assert "no answer" in shown
    assert advice in shown
    assert "Traceback" not in shown
    assert not Path("mate.key").exists()

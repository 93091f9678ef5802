"""Commands that Argosy runs: their output kept, their failure explained, nothing left behind when interrupted."""

from __future__ import annotations

import os
import pwd
import shlex
import signal
import subprocess
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argosy.errors import ArgosyError

_GRACE = 5.0  # seconds between asking a process group to end and ending it
_SHOWN = 40  # lines of a failed command's output that an error shows
_LONGEST = 600  # characters of a failed command that an error shows

# Signals belong to a whole process, so what they must end is known to the whole process: the running commands.
_running: set[subprocess.Popen[bytes]] = set()
_interrupted = threading.Event()


class CancelledError(ArgosyError):
    """The user ended the work (Ctrl-C); nothing is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a command left: its exit status (negative: the signal that ended it) and its merged output."""

    status: int
    output: str


def command_line(arguments: Sequence[str | Path]) -> str:
    """The command as a person would type it."""
    return shlex.join(str(argument) for argument in arguments)


def run(
    arguments: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    input: bytes | None = None,
    timeout_seconds: float | None = None,
    on_line: Callable[[], object] | None = None,
    user: pwd.struct_passwd | None = None,
) -> Finished:
    """Run a command in a process group of its own and wait; on Ctrl-C or any error the whole group is ended.

    `environment` replaces this process's when given. `log` is a file to which command and output are appended.
    `on_line` is called at each line of output, for the progress of long commands (not with input or a timeout).
    `user` is who runs it, with all of that account's groups and no other; for root, or for that user.
    Raises ArgosyError when the program is not there, cannot be started or takes longer than `timeout_seconds`;
    CancelledError after `interrupt`.
    """
    stop_if_interrupted()
    try:
        child = subprocess.Popen(
            [str(argument) for argument in arguments],
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **_identity(user),
        )
    except OSError as error:
        raise ArgosyError(
            f"cannot start {arguments[0]}: {error.strerror or error}", advice="`argosy doctor` says what is missing"
        ) from error
    _running.add(child)
    try:
        if on_line is None:
            output = child.communicate(input, timeout_seconds)[0].decode(errors="replace")
        else:
            output = _read_lines(child, on_line)
    except subprocess.TimeoutExpired as error:
        raise ArgosyError(f"{Path(arguments[0]).name} did not end within {timeout_seconds:g} seconds") from error
    finally:
        end_group(child)
        _running.discard(child)
    stop_if_interrupted()
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(f"$ {command_line(arguments)}\n{output}")
    return Finished(status=child.returncode, output=output)


def _identity(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """What Popen needs to start as another user; nothing where this is that user."""
    if user is None or user.pw_uid == os.geteuid():
        return {}
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": groups, "umask": 0o022}


def _read_lines(child: subprocess.Popen[bytes], on_line: Callable[[], object]) -> str:
    lines = []
    with child.stdout as output:  # type: ignore[union-attr]  # Popen was given PIPE
        for line in output:
            lines.append(line.decode(errors="replace"))
            on_line()
    child.wait()
    return "".join(lines)


def check(
    arguments: Sequence[str | Path],
    *,
    purpose: str,
    advice: str = "",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    input: bytes | None = None,
) -> str:
    """Like `run`, but gives the output and raises ArgosyError, naming `purpose`, when the exit status is not 0."""
    done = run(arguments, folder=folder, environment=environment, log=log, input=input)
    if done.status == 0:
        return done.output
    ending = f"was ended by signal {-done.status}" if done.status < 0 else f"exited with {done.status}"
    lines = done.output.rstrip().splitlines()
    shown = "\n".join(f"    {line}" for line in lines[-_SHOWN:])
    whole = f"\n  the whole output is in {log}" if log is not None and len(lines) > _SHOWN else ""
    command = textwrap.shorten(command_line(arguments), _LONGEST, placeholder=" …")
    raise ArgosyError(
        f"{purpose} failed: {Path(arguments[0]).name} {ending}\n  $ {command}\n{shown}{whole}",
        advice=advice,
    )


def interrupt() -> None:
    """End every command that `run` is waiting for, in whichever thread, and let it start no other.

    For programs where Ctrl-C raises no KeyboardInterrupt in the thread that waits.
    """
    _interrupted.set()
    for child in tuple(_running):
        end_group(child)


def stop_if_interrupted() -> None:
    """Raise CancelledError after `interrupt`: for long work that runs no command."""
    if _interrupted.is_set():
        raise CancelledError("interrupted by the user")


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End every process of `child`'s group: asked first, forced after five seconds. Does nothing once it has gone."""
    if child.poll() is not None:
        return
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, signal_number)
        except ProcessLookupError:
            break
        try:
            child.wait(_GRACE)
            break
        except subprocess.TimeoutExpired:
            continue

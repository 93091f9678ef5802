"""argosy-job ends as its command ends, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import guests
import pytest

from argosy.launcher import build


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARGOSY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return build.launcher(None).with_name(build.JOB)


def is_gone(pid: int) -> bool:
    """Whether the process has ended, within some seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_streams_and_status_are_the_commands(job: Path) -> None:
    done = guests.start([job, "sh", "-c", "cat; echo said >&2; exit 5"], stdin="through")
    assert (done.returncode, done.stdout, done.stderr) == (5, "through", "said\n")


def test_a_command_that_a_signal_ended_is_told_so(job: Path) -> None:
    assert guests.start([job, "sh", "-c", "kill -KILL $$"]).returncode == -signal.SIGKILL


def test_a_command_that_is_not_there_is_named(job: Path) -> None:
    done = guests.start([job, "no-such-mpiexec"])
    assert done.returncode == 127
    assert "no-such-mpiexec" in done.stderr


def test_what_the_command_leaves_is_ended(job: Path) -> None:
    stubborn = "trap '' TERM; while :; do sleep 0.1; done"
    done = guests.start([job, "sh", "-c", f'(sh -c "{stubborn}" >&2 2>/dev/null & echo $!); exit 3'])
    assert done.returncode == 3
    assert is_gone(int(done.stdout))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_even_where_the_command_says_all_is_well(job: Path, number: signal.Signals) -> None:
    script = f"trap 'exit 0' {number.name[3:]}; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen([job, "sh", "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(number)
        assert child.wait(10) == -number


def test_signals_for_the_application_are_passed_on(job: Path) -> None:
    script = "trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen([job, "sh", "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGUSR1)
        assert child.stdout.readline() == b"got it\n"
        assert child.wait(10) == 9


def test_the_command_ends_when_the_job_is_killed(job: Path) -> None:
    with subprocess.Popen([job, "sh", "-c", "echo $$; exec sleep 60"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        command = int(child.stdout.readline())
        child.kill()
        child.wait()
        assert is_gone(command)
